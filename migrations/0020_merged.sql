-- What an incident went into, and what it was split off: both stand in its own row as well, and are found by these.
ALTER TABLE incidents ADD COLUMN merged_into TEXT;
ALTER TABLE incidents ADD COLUMN split_from TEXT;
CREATE INDEX incidents_merged ON incidents (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX incidents_merged_of ON incidents (service, merged_into) WHERE merged_into IS NOT NULL;

-- What the alerts of an incident have in common, where its service groups by more than time; empty for the group of those that have nothing
-- of it, and for every other incident.
ALTER TABLE incidents ADD COLUMN group_key TEXT NOT NULL DEFAULT '';
CREATE INDEX incidents_by_group ON incidents (service, group_key, state, number);

-- Of each policy: when its last incidents opened, or would have, and the incident that takes in what comes when too many do.
CREATE TABLE openings (
    policy   TEXT NOT NULL PRIMARY KEY,
    times    TEXT NOT NULL,
    umbrella TEXT
);

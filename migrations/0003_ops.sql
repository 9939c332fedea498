-- What retention looks for, so that it never reads a whole table: closed alerts without an incident, and closed incidents, by their end.
CREATE INDEX alerts_by_end ON alerts ((COALESCE(resolved_at, last_at)), id) WHERE incident_id IS NULL AND state <> 'firing';
CREATE INDEX incidents_by_end ON incidents (resolved_at) WHERE state = 'resolved';

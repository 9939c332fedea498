-- What an alert is held for, to see whether it passes by itself or until it is steady, and when it is to be looked at again.
ALTER TABLE alerts ADD COLUMN hold TEXT;
ALTER TABLE alerts ADD COLUMN held_until BIGINT;
CREATE INDEX alerts_held ON alerts (held_until) WHERE held_until IS NOT NULL;

-- How often a condition came and went lately.
ALTER TABLE dedup_keys ADD COLUMN changes TEXT;

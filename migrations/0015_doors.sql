-- What senders ask and are refused. Only additions: the version before runs beside this schema.

-- Signals of an alert that did not fire it: such senders count what fires.
ALTER TABLE tiny_ids ADD COLUMN asides BIGINT NOT NULL DEFAULT 0;

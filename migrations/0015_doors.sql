-- What senders ask and are refused. Only additions: the version before runs beside this schema.

-- Signals of an alert that did not fire it: such senders count what fires.
ALTER TABLE tiny_ids ADD COLUMN asides BIGINT NOT NULL DEFAULT 0;

-- How often messages were refused for what they did not show beside their key, and what that was.
CREATE TABLE refusals (
  integration TEXT NOT NULL,
  asked_by    TEXT NOT NULL,
  why         TEXT NOT NULL,
  header      TEXT NOT NULL,
  n           BIGINT NOT NULL,
  first_at    BIGINT NOT NULL,
  last_at     BIGINT NOT NULL,
  PRIMARY KEY (integration, asked_by, why, header)
);

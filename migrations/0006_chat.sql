-- Which incident a Slack channel is the room of: what is said there is about it.
CREATE TABLE rooms (
  channel     TEXT PRIMARY KEY,
  incident_id TEXT NOT NULL
);

-- Slack's events come more than once. One that was carried out is not carried out again.
CREATE TABLE slack_events (
  id       TEXT PRIMARY KEY,
  taken_at BIGINT NOT NULL,
  done     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX slack_events_by_time ON slack_events (taken_at);

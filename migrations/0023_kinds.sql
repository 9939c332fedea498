-- Alerts that differ only in a number or a name are of one kind. Of each kind: when it was first and last heard of, and how many alerts of
-- it there were lately, in thousandths that fade. The row with an empty kind says since when its sender is heard of at all.
CREATE TABLE kinds (
  kind        TEXT NOT NULL,
  integration TEXT NOT NULL,
  service     TEXT NOT NULL,
  first_at    BIGINT NOT NULL,
  last_at     BIGINT NOT NULL,
  seen        BIGINT NOT NULL,
  PRIMARY KEY (kind, integration, service)
);
CREATE INDEX kinds_by_age ON kinds (last_at);

-- Of each incident: the kinds of its alerts, and how many there are of each.
CREATE TABLE incident_kinds (
  incident_id TEXT NOT NULL,
  kind        TEXT NOT NULL,
  integration TEXT NOT NULL,
  service     TEXT NOT NULL,
  title       TEXT NOT NULL,
  alertname   TEXT NOT NULL,
  alerts      BIGINT NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (incident_id, kind, integration, service)
);
CREATE INDEX incident_kinds_by_age ON incident_kinds (at);

-- What people did about incidents: few among all facts.
CREATE INDEX facts_of_people ON facts (at) WHERE kind IN ('incident_acknowledged', 'incident_resolved', 'incident_escalated', 'page_unhelpful', 'note_added', 'task_added', 'task_changed', 'update_posted', 'role_changed', 'severity_changed', 'page_asked', 'incident_reassigned');

-- How many signals a key has in an hour, and its busiest hour.
ALTER TABLE dedup_keys ADD COLUMN rate TEXT;

-- An alert's kind, how many of it there were lately when it began, and whether it is new or rising. 99 and more are common; so is what a
-- version that did not count has left.
ALTER TABLE alerts ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN seen BIGINT NOT NULL DEFAULT 99;
ALTER TABLE alerts ADD COLUMN marks TEXT;

-- The lists by rarity: what is rare from these, what is common by its id, so that a flood of one kind costs no more than its first alerts.
CREATE INDEX alerts_rare ON alerts (seen, id DESC) WHERE seen < 99;
CREATE INDEX alerts_rare_by_incident ON alerts (incident_id, seen, id DESC) WHERE seen < 99;
-- The lists by severity.
CREATE INDEX alerts_by_severity ON alerts (severity, id);
CREATE INDEX alerts_by_incident_and_severity ON alerts (incident_id, severity, id);

-- The rarest alert of each incident.
ALTER TABLE incidents ADD COLUMN seen BIGINT NOT NULL DEFAULT 99;
CREATE INDEX incidents_by_rarity ON incidents (seen, number DESC);
CREATE INDEX incidents_by_severity ON incidents (severity, number);

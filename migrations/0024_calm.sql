-- Alerts that keep others from paging anybody while they fire, one row for each rule that they match. Only additions: the version before
-- runs beside this schema.
CREATE TABLE inhibitors (
    -- Of the rule and the values that have to be equal: whoever has the same is inhibited.
    tie         TEXT NOT NULL,
    alert_id    TEXT NOT NULL,
    rule_id     TEXT NOT NULL,
    integration TEXT NOT NULL,
    dedup_key   TEXT NOT NULL,
    title       TEXT NOT NULL,
    -- It matches what its rule mutes as well.
    is_target   BIGINT NOT NULL,
    -- It fires no more.
    ended       BIGINT NOT NULL,
    -- 0: what it is about is to be looked at; 1: that is under way; 2: it was.
    looked      BIGINT NOT NULL,
    PRIMARY KEY (tie, alert_id)
);
CREATE INDEX inhibitors_by_alert ON inhibitors (alert_id);
CREATE INDEX inhibitors_unlooked ON inhibitors (looked) WHERE looked < 2;

-- How far the alerts were looked at for what began or ended to inhibit, and for which rules they were all looked at last.
CREATE TABLE inhibition_looks (
    id    TEXT NOT NULL PRIMARY KEY,
    place TEXT NOT NULL,
    rules TEXT NOT NULL
);

-- Maintenance windows that people made, beside the file's. One that was removed stays for a while, so that it can be brought back.
CREATE TABLE maintenance_windows (
    id         TEXT NOT NULL PRIMARY KEY,
    -- The window, as JSON.
    body       TEXT NOT NULL,
    -- Who made it, as JSON.
    made_by    TEXT NOT NULL,
    made_at    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    removed_at BIGINT
);

-- What people said of alerts during an incident: `noise` or `relevant`.
CREATE TABLE alert_marks (
    alert_id    TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL,
    integration TEXT NOT NULL,
    dedup_key   TEXT NOT NULL,
    relevance   TEXT NOT NULL,
    marked_at   BIGINT NOT NULL
);
CREATE INDEX alert_marks_by_incident ON alert_marks (incident_id, relevance);
CREATE INDEX alert_marks_by_key ON alert_marks (integration, dedup_key);

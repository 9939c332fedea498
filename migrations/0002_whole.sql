-- Only additions, each with a default: the version before runs beside this schema.

-- What people do about an incident (roles, snooze, room, counters), as JSON.
ALTER TABLE incidents ADD COLUMN response TEXT NOT NULL DEFAULT '{}';

-- The board: one row per task, numbered within its incident.
CREATE TABLE tasks (
  id          TEXT PRIMARY KEY,
  incident_id TEXT NOT NULL,
  n           BIGINT NOT NULL,
  title       TEXT NOT NULL,
  owner       TEXT,
  state       TEXT NOT NULL,
  blocked_on  TEXT,
  back_at     BIGINT,
  created_at  BIGINT NOT NULL,
  created_by  TEXT NOT NULL,
  changed_at  BIGINT NOT NULL,
  UNIQUE (incident_id, n)
);

-- Whoever reads the facts in their order and tells something outside: a room, the announcements, a webhook. `seq` is the last one told.
CREATE TABLE followers (
  name        TEXT PRIMARY KEY,
  seq         BIGINT NOT NULL,
  state       TEXT NOT NULL DEFAULT '{}',
  due_at      BIGINT NOT NULL DEFAULT 0,
  tries       BIGINT NOT NULL DEFAULT 0,
  done        BIGINT NOT NULL DEFAULT 0,
  lease_owner TEXT,
  lease_until BIGINT NOT NULL DEFAULT 0
);

-- Somebody takes a schedule for a while. It is removed by hand and stays for the history.
CREATE TABLE overrides (
  id         TEXT PRIMARY KEY,
  schedule   TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  from_at    BIGINT NOT NULL,
  until_at   BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  removed_at BIGINT
);

-- A contact that its owner or its provider has closed to us.
CREATE TABLE closed_contacts (
  user_id   TEXT NOT NULL,
  contact   TEXT NOT NULL,
  address   TEXT NOT NULL,
  reason    TEXT NOT NULL,
  closed_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, contact)
);

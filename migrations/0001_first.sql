-- One text for SQLite and PostgreSQL: ids and JSON are TEXT, instants are BIGINT microseconds, truth is 0 or 1.

-- Numbers that must be handed out without a gap a reader could pass over: the stream's seq, incident numbers, the setup's version.
CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('seq', 0), ('incident', 0), ('setup', 0);

-- The configured objects, one row each; the body is the object as JSON.
CREATE TABLE objects (
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  body       TEXT NOT NULL,
  managed    BIGINT NOT NULL,
  retired_at BIGINT,
  PRIMARY KEY (kind, id)
);

-- Settings that are no objects, as JSON.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
);

-- Sealed with the secret key that rests outside the database. The body is a JSON list, because two may live while one is rotated.
CREATE TABLE secrets (
  name   TEXT PRIMARY KEY,
  sealed TEXT NOT NULL
);

-- Integrations are found by their key's digest.
CREATE TABLE integration_keys (
  digest      TEXT PRIMARY KEY,
  integration TEXT NOT NULL
);

CREATE TABLE tokens (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  digest       TEXT NOT NULL UNIQUE,
  scope        TEXT NOT NULL,
  acts_as      TEXT,
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT
);

-- One-time sign-in links and the sessions they open, found by digest.
CREATE TABLE sign_in_links (
  digest     TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE TABLE sessions (
  digest     TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL,
  role       TEXT NOT NULL,
  csrf       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

-- The durable act of the intake: one row per batch of requests. The folder deletes a row in the transaction that folds it.
CREATE TABLE journal (
  id      TEXT PRIMARY KEY,
  at      BIGINT NOT NULL,
  signals BIGINT NOT NULL,
  body    TEXT NOT NULL
);

-- Journal rows that could not be folded. They hold up no other row, and every start tries them again.
CREATE TABLE journal_aside (
  id      TEXT PRIMARY KEY,
  at      BIGINT NOT NULL,
  signals BIGINT NOT NULL,
  body    TEXT NOT NULL,
  reason  TEXT NOT NULL
);

-- What was decided for requests that asked to wait for it.
CREATE TABLE answers (
  request TEXT PRIMARY KEY,
  at      BIGINT NOT NULL,
  body    TEXT NOT NULL
);
CREATE INDEX answers_by_age ON answers (at);

-- Per integration: how many signals were accepted and what became of them.
CREATE TABLE tallies (
  integration TEXT NOT NULL,
  outcome     TEXT NOT NULL,
  n           BIGINT NOT NULL,
  PRIMARY KEY (integration, outcome)
);

-- The dedup key comes first: hundreds are looked up at once, and PostgreSQL would else read every key of the integration for them
-- as long as it has no statistics.
CREATE TABLE dedup_keys (
  integration     TEXT NOT NULL,
  dedup_key       TEXT NOT NULL,
  alert_id        TEXT,
  first_at        BIGINT NOT NULL,
  changed_at      BIGINT,
  early_at        BIGINT,
  early_came_at   BIGINT,
  PRIMARY KEY (dedup_key, integration)
);

CREATE TABLE alerts (
  id          TEXT PRIMARY KEY,
  integration TEXT NOT NULL,
  dedup_key   TEXT NOT NULL,
  source      TEXT NOT NULL,
  service     TEXT NOT NULL,
  title       TEXT NOT NULL,
  severity    TEXT NOT NULL,
  state       TEXT NOT NULL,
  count       BIGINT NOT NULL,
  first_at    BIGINT NOT NULL,
  last_at     BIGINT NOT NULL,
  fired_at    BIGINT NOT NULL,
  resolved_at BIGINT,
  incident_id TEXT,
  url         TEXT,
  labels      TEXT NOT NULL
);
CREATE INDEX alerts_by_incident ON alerts (incident_id, id);

CREATE TABLE incidents (
  id              TEXT PRIMARY KEY,
  number          BIGINT NOT NULL UNIQUE,
  service         TEXT NOT NULL,
  title           TEXT NOT NULL,
  severity        TEXT NOT NULL,
  kind            TEXT NOT NULL,
  state           TEXT NOT NULL,
  opened_at       BIGINT NOT NULL,
  joined_at       BIGINT NOT NULL,
  acknowledged_at BIGINT,
  acknowledged_by TEXT,
  lapses_at       BIGINT,
  resolved_at     BIGINT,
  resolved_by     TEXT,
  closed_at       BIGINT,
  alerts_count    BIGINT NOT NULL,
  firing_count    BIGINT NOT NULL,
  epoch           BIGINT NOT NULL,
  run             TEXT
);
CREATE INDEX incidents_by_service ON incidents (service, state, number);
CREATE INDEX incidents_by_state ON incidents (state, number);

-- A page has two writers: its incident says whether it is wanted, its person what was tried.
CREATE TABLE pages (
  id          TEXT PRIMARY KEY,
  incident_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  urgency     TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  starts      BIGINT NOT NULL,
  started_at  BIGINT NOT NULL,
  wanted      BIGINT NOT NULL,
  ended       TEXT,
  ended_at    BIGINT,
  live        BIGINT NOT NULL,
  plan        TEXT NOT NULL,
  planned_for BIGINT NOT NULL,
  tried       TEXT NOT NULL,
  failed      BIGINT NOT NULL
);
CREATE INDEX pages_by_incident ON pages (incident_id, id);
CREATE INDEX pages_by_person ON pages (user_id, live, id);

CREATE TABLE persons (
  id         TEXT PRIMARY KEY,
  chain      TEXT,
  chained_at BIGINT
);

CREATE TABLE attempts (
  id          TEXT PRIMARY KEY,
  user_id     TEXT NOT NULL,
  contact     TEXT NOT NULL,
  channel     TEXT NOT NULL,
  provider    TEXT,
  provider_id TEXT,
  outcome     TEXT,
  reason      TEXT,
  placed_at   BIGINT NOT NULL,
  sent_at     BIGINT,
  sent_to     TEXT,
  open        BIGINT NOT NULL,
  state       TEXT NOT NULL,
  look_at     BIGINT NOT NULL,
  asked       BIGINT NOT NULL,
  ending      BIGINT NOT NULL
);
CREATE INDEX attempts_by_person ON attempts (user_id, open, id);
CREATE INDEX attempts_by_provider_id ON attempts (provider_id);
CREATE INDEX attempts_by_number ON attempts (sent_to, sent_at);

CREATE TABLE attempt_pages (
  attempt_id  TEXT NOT NULL,
  page_id     TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  PRIMARY KEY (attempt_id, page_id)
);
CREATE INDEX attempt_pages_by_page ON attempt_pages (page_id, attempt_id);

-- Effects on their way out. A row is deleted when it is settled.
CREATE TABLE outbox (
  id          TEXT PRIMARY KEY,
  lane        TEXT NOT NULL,
  due_at      BIGINT NOT NULL,
  body        TEXT NOT NULL,
  attempt_id  TEXT NOT NULL,
  lease_owner TEXT,
  lease_until BIGINT NOT NULL,
  tries       BIGINT NOT NULL
);
CREATE INDEX outbox_by_due ON outbox (lane, due_at);
CREATE INDEX outbox_by_attempt ON outbox (attempt_id);

-- One wake-up per scope and name, with an empty nudge: its scope's own. Other scopes leave nudges, which nobody overwrites.
CREATE TABLE wakes (
  scope  TEXT NOT NULL,
  id     TEXT NOT NULL,
  name   TEXT NOT NULL,
  nudge  TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  PRIMARY KEY (scope, id, name, nudge)
);
CREATE INDEX wakes_by_due ON wakes (due_at);

-- Roles that one process holds at a time, in the database's time.
CREATE TABLE leases (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  until BIGINT NOT NULL
);

-- The pace of a provider account, shared by every process.
CREATE TABLE paces (
  account TEXT PRIMARY KEY,
  next_at BIGINT NOT NULL
);

CREATE TABLE facts (
  seq         BIGINT PRIMARY KEY,
  incident_id TEXT NOT NULL,
  at          BIGINT NOT NULL,
  kind        TEXT NOT NULL,
  actor       TEXT NOT NULL,
  body        TEXT NOT NULL
);
CREATE INDEX facts_by_incident ON facts (incident_id, seq);

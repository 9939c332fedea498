-- The web pages: passwords, what is known of sessions, what people manage themselves, and samples of what senders sent.

-- An argon2 hash with its parameters and salt, as the PHC string format writes it.
CREATE TABLE passwords (
  user_id    TEXT PRIMARY KEY,
  hash       TEXT NOT NULL,
  changed_at BIGINT NOT NULL
);

-- Sign-ins that failed, by account and by source address: each further one has to wait longer.
CREATE TABLE sign_in_failures (
  subject   TEXT PRIMARY KEY,
  failures  BIGINT NOT NULL,
  failed_at BIGINT NOT NULL
);
CREATE INDEX sign_in_failures_by_age ON sign_in_failures (failed_at);

-- What the browser called itself when it signed in, so that a person knows their sessions apart.
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Contacts and rules of people to whom the configuration file gives none, as JSON.
CREATE TABLE own_ways (
  user_id    TEXT PRIMARY KEY,
  body       TEXT NOT NULL,
  changed_at BIGINT NOT NULL
);

-- The newest signals of each integration and what was made of them: at most one a second and a few in all.
CREATE TABLE signal_samples (
  integration TEXT NOT NULL,
  request     TEXT NOT NULL,
  at          BIGINT NOT NULL,
  signals     BIGINT NOT NULL,
  title       TEXT NOT NULL,
  outcome     TEXT NOT NULL,
  reason      TEXT NOT NULL,
  alert_id    TEXT,
  incident_id TEXT,
  body        TEXT NOT NULL,
  PRIMARY KEY (integration, request)
);

-- Who was last shown an integration's address with its key.
CREATE TABLE key_reveals (
  integration TEXT PRIMARY KEY,
  user_id     TEXT NOT NULL,
  at          BIGINT NOT NULL
);

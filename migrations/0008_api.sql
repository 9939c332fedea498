-- Requests that carried an Idempotency-Key, for as long as they may come again: one row per caller, door and key.
CREATE TABLE repeats (
  digest      TEXT PRIMARY KEY,
  at          BIGINT NOT NULL,
  -- The digest of the request's body: the same key with another body is a mistake.
  asked       TEXT NOT NULL,
  -- Somebody works on it until then, in the database's time.
  lease_until BIGINT NOT NULL,
  lease_owner TEXT NOT NULL,
  -- What was decided, written in the transaction that decided it: after a crash the request is answered and not done again.
  verdict     TEXT,
  -- The answer, once it was given: its status, the headers worth keeping as JSON, its body.
  status      BIGINT,
  headers     TEXT,
  answer      TEXT
);
CREATE INDEX repeats_by_age ON repeats (at);

-- What senders that speak a protocol of both ways ask about their own alerts. Only additions: the version before runs beside this schema.

-- A small number for each of their alerts, as people read it out, and the list of them.
CREATE TABLE tiny_ids (
  alert_id    TEXT PRIMARY KEY,
  integration TEXT NOT NULL,
  n           BIGINT NOT NULL UNIQUE
);
CREATE INDEX tiny_ids_by_integration ON tiny_ids (integration, n);
INSERT INTO counters (name, value) VALUES ('tiny', 0);

-- Requests whose sender may ask what became of them: the verdict as JSON.
CREATE TABLE sender_requests (
  id          TEXT PRIMARY KEY,
  integration TEXT NOT NULL,
  at          BIGINT NOT NULL,
  asked       TEXT NOT NULL,
  verdict     TEXT NOT NULL
);
CREATE INDEX sender_requests_by_age ON sender_requests (at);

-- What a sender said about an alert of its own.
CREATE TABLE alert_notes (
  id       TEXT PRIMARY KEY,
  alert_id TEXT NOT NULL,
  at       BIGINT NOT NULL,
  note     TEXT NOT NULL
);
CREATE INDEX alert_notes_by_alert ON alert_notes (alert_id, at, id);

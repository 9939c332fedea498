-- Silences: whose labels match pages nobody for a while. Only additions: the version before runs beside this schema.
CREATE TABLE silences (
  -- A UUID.
  id          TEXT PRIMARY KEY,
  -- The one whose alerts it covers; NULL for all.
  integration TEXT,
  -- A list of matchers as they are written, as JSON.
  matchers    TEXT NOT NULL,
  starts_at   BIGINT NOT NULL,
  ends_at     BIGINT NOT NULL,
  created_by  TEXT NOT NULL,
  comment     TEXT NOT NULL,
  annotations TEXT NOT NULL,
  updated_at  BIGINT NOT NULL,
  -- Who made it, as Reveille knows them, as JSON.
  made_by     TEXT NOT NULL,
  -- It is not over, or the alerts that it covered have not all been looked at since.
  live        BIGINT NOT NULL,
  -- How far they have been looked at since it last began, ended or changed, as JSON.
  place       TEXT NOT NULL
);
CREATE INDEX silences_live ON silences (id) WHERE live = 1;
CREATE INDEX silences_by_end ON silences (ends_at, id);

-- What a silence may have to let go of, and what of it may be over by its sender's word.
CREATE INDEX alerts_silenced ON alerts (service, id) WHERE state = 'suppressed';
CREATE INDEX alerts_silenced_by_expiry ON alerts (ends_at) WHERE state = 'suppressed' AND ends_at IS NOT NULL;

-- When a heartbeat was first waited for. NULL: by a version that does not note it.
ALTER TABLE heartbeats ADD COLUMN since_at BIGINT;
-- When its miss was last told of.
ALTER TABLE heartbeats ADD COLUMN told_at BIGINT;
UPDATE heartbeats SET since_at = (SELECT MIN(k.first_at) FROM dedup_keys k WHERE k.integration = heartbeats.integration);

-- Each miss of a heartbeat; one alert may be several of them. NULL until_at: no beat has come since.
CREATE TABLE heartbeat_misses (
  integration TEXT NOT NULL,
  from_at     BIGINT NOT NULL,
  until_at    BIGINT,
  PRIMARY KEY (integration, from_at)
);
INSERT INTO heartbeat_misses (integration, from_at, until_at)
  SELECT integration, first_at, MAX(resolved_at) FROM alerts WHERE source = 'heartbeat' GROUP BY integration, first_at;

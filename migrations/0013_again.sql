-- How many messages of unknown fate this one stands in for: each waits longer than the one before.
ALTER TABLE attempts ADD COLUMN sent_before BIGINT NOT NULL DEFAULT 0;

-- Somebody answered through it, which proves its contact.
ALTER TABLE attempts ADD COLUMN answered BIGINT NOT NULL DEFAULT 0;
CREATE INDEX attempts_answered ON attempts (user_id, contact) WHERE answered = 1;

-- The misses of heartbeats, for their page.
CREATE INDEX alerts_of_heartbeats ON alerts (integration, id) WHERE source = 'heartbeat';

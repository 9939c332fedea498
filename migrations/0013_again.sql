-- How many messages of unknown fate this one stands in for: each waits longer than the one before.
ALTER TABLE attempts ADD COLUMN sent_before BIGINT NOT NULL DEFAULT 0;

-- Only additions, each with a default: the version before runs beside this schema.

-- Until when an alert holds, by its sender's last word.
ALTER TABLE alerts ADD COLUMN ends_at BIGINT;
CREATE INDEX alerts_by_expiry ON alerts (ends_at) WHERE state = 'firing' AND ends_at IS NOT NULL;

-- What may close by age. The time of the last signal is not in it: it changes with every signal, and few services close by age.
CREATE INDEX alerts_by_service ON alerts (service, id) WHERE state = 'firing';

-- When an integration was last heard of: a sender that is silent as a whole gives no all-clear.
ALTER TABLE tallies ADD COLUMN last_at BIGINT NOT NULL DEFAULT 0;

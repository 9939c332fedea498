-- The newest time, by its sender's clock, at which its sender said that it fires: an older resolve is stale. NULL: no time was said.
ALTER TABLE alerts ADD COLUMN said_at BIGINT;

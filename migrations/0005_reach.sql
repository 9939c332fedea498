-- Only additions, each with a default: the version before runs beside this schema.

-- When messages left for each contact of late, as JSON.
ALTER TABLE persons ADD COLUMN messaged TEXT NOT NULL DEFAULT '{}';

-- Contacts that got something through since the page's start, as JSON.
ALTER TABLE pages ADD COLUMN reached TEXT NOT NULL DEFAULT '[]';

-- The words of a text, to know it again in its provider's list.
ALTER TABLE attempts ADD COLUMN sent_text TEXT;

-- Links in mails with which a page is acknowledged: found by digest, good for one attempt's pages and for a while.
CREATE TABLE message_links (
  digest     TEXT PRIMARY KEY,
  attempt_id TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX message_links_by_end ON message_links (expires_at);

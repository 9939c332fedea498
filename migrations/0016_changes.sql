-- What was changed on purpose: deploys and flags, for whoever asks what changed before an incident.
CREATE TABLE changes (
    id          TEXT   NOT NULL PRIMARY KEY,
    integration TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    service     TEXT   NOT NULL,
    title       TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    url         TEXT,
    labels      TEXT   NOT NULL
);
CREATE INDEX changes_at ON changes (at, id);
CREATE INDEX changes_of_service ON changes (service, at, id);

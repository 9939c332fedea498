-- When the next beat of each heartbeat is due. `span` is the period and its grace as they were when it was last looked at.
CREATE TABLE heartbeats (
  integration TEXT PRIMARY KEY,
  beat_at     BIGINT,
  due_at      BIGINT NOT NULL,
  span        BIGINT NOT NULL,
  missed      BIGINT NOT NULL DEFAULT 0,
  excused     BIGINT NOT NULL DEFAULT 0
);

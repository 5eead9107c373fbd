-- Memories, their history, vectors and feed; the outbox; what makes repeated requests and events harmless.
--
-- Every key starts with the tenant and the project. Times are microseconds since 1970 in UTC; a column that ends in _at
-- and is NULL means that nobody said. Columns exist for what queries ask for; the rest of a memory is the JSON in body
-- ('' when there is nothing to say). content comes last, so that a scan over the other columns need not read past it.

-- +goose Up

-- The head of each scope's feed, the number of its last change, and the floor, above which its first one was numbered.
CREATE TABLE scopes (
    tenant  TEXT NOT NULL,
    project TEXT NOT NULL,
    head    INTEGER NOT NULL,
    floor   INTEGER NOT NULL,
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;

-- A number above all that were used by scopes that have been erased; a scope that comes back goes on above it, so that a
-- reader of the old feed cannot mistake new changes for ones it has seen. unscrubbed is 1 from the moment the rows are
-- gone until the file has been written anew without their remains. One row, and no tenant in it.
CREATE TABLE erased (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    head       INTEGER NOT NULL,
    unscrubbed INTEGER NOT NULL
);
INSERT INTO erased VALUES (1, 0, 0);

-- The current version of every memory.
CREATE TABLE memories (
    row         INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,          -- the change that made it what it is
    layer       TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    agent_id    TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    external_id TEXT NOT NULL,
    importance  REAL NOT NULL,
    occurred_at INTEGER,
    valid_from  INTEGER,
    valid_to    INTEGER,
    expires_at  INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,          -- also the time from which this version was known
    embedding   TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    change      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    body        TEXT NOT NULL,
    content     TEXT NOT NULL
);
CREATE UNIQUE INDEX memories_id ON memories (tenant, project, id);
CREATE UNIQUE INDEX memories_seq ON memories (tenant, project, seq);
CREATE UNIQUE INDEX memories_fingerprint ON memories (tenant, project, fingerprint);
CREATE UNIQUE INDEX memories_external_id ON memories (tenant, project, external_id) WHERE external_id <> '';
CREATE INDEX memories_user ON memories (tenant, project, user_id, id) WHERE user_id <> '';
CREATE INDEX memories_session ON memories (tenant, project, session_id, id) WHERE session_id <> '';
CREATE INDEX memories_expiry ON memories (expires_at) WHERE expires_at IS NOT NULL;

-- Versions that have been superseded. The current one is in memories alone: storing every content twice would double
-- the cost of the commonest write, a memory that never changes.
CREATE TABLE memory_versions (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    memory_id   TEXT NOT NULL,
    version     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    layer       TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    agent_id    TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    external_id TEXT NOT NULL,
    importance  REAL NOT NULL,
    occurred_at INTEGER,
    valid_from  INTEGER,
    valid_to    INTEGER,
    expires_at  INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    embedding   TEXT NOT NULL,
    change      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    recorded_to INTEGER NOT NULL,
    body        TEXT NOT NULL,
    content     TEXT NOT NULL
);
CREATE UNIQUE INDEX memory_versions_version ON memory_versions (tenant, project, memory_id, version);
CREATE UNIQUE INDEX memory_versions_seq ON memory_versions (tenant, project, seq);

CREATE TABLE memory_vectors (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    model     TEXT NOT NULL,
    version   INTEGER NOT NULL,
    dim       INTEGER NOT NULL,
    vector    BLOB NOT NULL,               -- dim float32, little-endian
    PRIMARY KEY (tenant, project, memory_id, model)
);

CREATE TABLE memory_tags (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    tag       TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    PRIMARY KEY (tenant, project, tag, memory_id)
) WITHOUT ROWID;
CREATE INDEX memory_tags_memory ON memory_tags (tenant, project, memory_id);

-- News of deletions for the feed: numbers and ids, nothing else.
CREATE TABLE tombstones (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    memory_id TEXT NOT NULL,
    PRIMARY KEY (tenant, project, seq)
) WITHOUT ROWID;

CREATE TABLE outbox (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    type        TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    data        BLOB NOT NULL,
    written_at  INTEGER NOT NULL,
    traceparent TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    reason      TEXT NOT NULL DEFAULT '',
    due_at      INTEGER NOT NULL           -- the end of a lease or of a wait
);
CREATE INDEX outbox_subject ON outbox (tenant, project, subject, position);

CREATE TABLE dead_letters (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    type        TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    data        BLOB NOT NULL,
    written_at  INTEGER NOT NULL,
    traceparent TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    reason      TEXT NOT NULL
);

CREATE TABLE idempotency_keys (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    route       TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer      BLOB NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (answered_at);

CREATE TABLE consumed_events (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    consumer    TEXT NOT NULL,
    source      TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    consumed_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, consumer, source, event_id)
) WITHOUT ROWID;
CREATE INDEX consumed_events_age ON consumed_events (consumed_at);

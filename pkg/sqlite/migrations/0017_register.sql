-- Who is who: what memories mention, by entity; which entities are one, and by which decisions.

-- +goose Up

-- What one reader saw one memory to mention. It goes with the memory.
CREATE TABLE entity_mentions (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    reader    TEXT NOT NULL,    -- 'told': the memory came with it; else the method of an extraction
    entity_id TEXT NOT NULL,
    name      TEXT NOT NULL,
    type      TEXT NOT NULL,
    aliases   TEXT NOT NULL,    -- JSON array
    seen_at   INTEGER NOT NULL, -- when it happened, or was told; microseconds
    PRIMARY KEY (tenant, project, memory_id, reader, entity_id)
) WITHOUT ROWID;
CREATE INDEX entity_mentions_of ON entity_mentions (tenant, project, entity_id);

-- Whoever is one with others: what the decisions that hold come to.
CREATE TABLE entity_members (
    tenant       TEXT NOT NULL,
    project      TEXT NOT NULL,
    entity_id    TEXT NOT NULL,
    canonical_id TEXT NOT NULL,    -- who stands for it
    place        INTEGER NOT NULL, -- among those for whom the same stands; who does has 0
    PRIMARY KEY (tenant, project, entity_id)
) WITHOUT ROWID;
CREATE INDEX entity_members_of ON entity_members (tenant, project, canonical_id, place);

CREATE TABLE entity_decisions (
    tenant  TEXT NOT NULL,
    project TEXT NOT NULL,
    number  INTEGER NOT NULL, -- 1, 2, 3 … in the order they were made
    id      TEXT NOT NULL,
    apart   INTEGER NOT NULL, -- it keeps its two sides apart: a split that holds, a merge that was undone
    body    TEXT NOT NULL,    -- JSON
    PRIMARY KEY (tenant, project, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX entity_decisions_by_id ON entity_decisions (tenant, project, id);
CREATE INDEX entity_decisions_apart ON entity_decisions (tenant, project) WHERE apart;

-- Pairs that may be one, for somebody to decide.
CREATE TABLE entity_suggestions (
    tenant       TEXT NOT NULL,
    project      TEXT NOT NULL,
    a            TEXT NOT NULL,
    b            TEXT NOT NULL,
    score        REAL NOT NULL,
    reason       TEXT NOT NULL,
    suggested_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, a, b)
) WITHOUT ROWID;

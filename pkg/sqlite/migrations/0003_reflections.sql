-- Reflections: work queued, claimed under a lease with a fence, and what came of it; and how many memories worth
-- reflecting upon have gathered in each scope. Columns exist for what queries ask for; body is the reflection as JSON.

-- +goose Up

CREATE TABLE reflections (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,
    status      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    cursor      TEXT NOT NULL,
    fence       INTEGER NOT NULL,          -- grows with every claim; an older one may not finish
    leased_to   INTEGER NOT NULL,          -- while running: from here on anybody may claim it
    route       TEXT NOT NULL,             -- with key, the request that made it; '' when it had no key
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE UNIQUE INDEX reflections_id ON reflections (tenant, project, id);
CREATE UNIQUE INDEX reflections_key ON reflections (tenant, project, route, key) WHERE key <> '';
CREATE INDEX reflections_open ON reflections (created_at, id) WHERE status IN ('queued', 'running');

CREATE TABLE reflection_gatherings (
    tenant  TEXT NOT NULL,
    project TEXT NOT NULL,
    count   INTEGER NOT NULL,              -- events since a reflection was last queued for it
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;

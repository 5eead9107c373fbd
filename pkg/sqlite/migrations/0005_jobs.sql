-- Jobs: long work, claimed under a lease with a fence and done in slices. Columns exist for what queries ask for; body
-- is the rest of the job as JSON. A job of the operator has tenant '-', which no tenant can be called.

-- +goose Up

CREATE TABLE jobs (
    tenant      TEXT NOT NULL CHECK (tenant <> ''),
    project     TEXT NOT NULL CHECK (project <> ''),
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,
    status      TEXT NOT NULL,
    due_at      INTEGER NOT NULL,          -- from here on it may be claimed: when queued, the end of the lease or of parking
    fence       INTEGER NOT NULL,          -- grows with every claim; an older one may not save
    arguments   TEXT NOT NULL,
    cursor      TEXT NOT NULL,             -- '' at the start
    route       TEXT NOT NULL,             -- with key, the request that made it; '' when it had no key
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE UNIQUE INDEX jobs_id ON jobs (tenant, project, id);
CREATE UNIQUE INDEX jobs_key ON jobs (tenant, project, route, key) WHERE key <> '';
CREATE INDEX jobs_due ON jobs (due_at, id) WHERE status IN ('queued', 'running', 'parked');

-- Reflections: work queued, claimed under a lease with a fence, and what came of it; and how many memories worth
-- reflecting upon have gathered in each scope. Columns exist for what queries ask for; body is the reflection as JSON.

-- +goose Up

CREATE TABLE reflections (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    kind        text NOT NULL,
    status      text NOT NULL,
    created_at  timestamptz NOT NULL,
    attempts    integer NOT NULL,
    cursor      text NOT NULL,
    fence       bigint NOT NULL,           -- grows with every claim; an older one may not finish
    leased_to   timestamptz NOT NULL,      -- while running: from here on anybody may claim it
    route       text COLLATE "C" NOT NULL, -- with key, the request that made it; '' when it had no key
    key         text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    body        text NOT NULL,
    PRIMARY KEY (tenant, project, id)
);
CREATE UNIQUE INDEX reflections_key ON reflections (tenant, project, route, key) WHERE key <> '';
CREATE INDEX reflections_open ON reflections (created_at, id) WHERE status IN ('queued', 'running');
SELECT rae_protect('reflections');
GRANT SELECT (tenant, project, id, status, created_at, leased_to) ON reflections TO rae_system;
CREATE POLICY due ON reflections FOR SELECT TO rae_system USING (current_user = 'rae_system' AND status IN ('queued', 'running'));

CREATE TABLE reflection_gatherings (
    tenant  text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    count   integer NOT NULL,              -- events since a reflection was last queued for it
    PRIMARY KEY (tenant, project)
);
SELECT rae_protect('reflection_gatherings');
GRANT SELECT (tenant, project) ON reflection_gatherings TO rae_system;
CREATE POLICY listed ON reflection_gatherings FOR SELECT TO rae_system USING (current_user = 'rae_system');

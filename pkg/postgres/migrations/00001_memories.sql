-- Who may do what; memories, their history, vectors, words and entities; the feed; the outbox; what makes repeated
-- requests and events harmless.
--
-- Every key starts with the tenant and the project, and row-level security confines every row to the tenant and the
-- project a transaction was opened for, whatever its queries say. A column that ends in _at and is NULL means that
-- nobody said. Columns exist for what queries ask for; the rest of a memory is the JSON in body ('' where there is
-- nothing to say).

-- +goose Up
-- +goose StatementBegin

-- rae_runtime answers requests of one tenant and project at a time. rae_system does what belongs to no tenant: it relays
-- the outbox and finds what is due, and sees no contents. Neither owns anything or can pass by row-level security; a
-- transaction becomes one of them with SET LOCAL ROLE.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['rae_runtime', 'rae_system'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of the cluster made it
        END;
        BEGIN
            EXECUTE format('GRANT %I TO CURRENT_USER', role);
        EXCEPTION WHEN unique_violation THEN
            NULL; -- a migration of another database did so just now
        END;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Before it serves, the program asks which version the schema has.
GRANT SELECT ON goose_db_version TO rae_system;

-- The time all decisions are made by: the database's, unless a test has set another.
-- +goose StatementBegin
CREATE FUNCTION rae_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('rae.now', true), '')::timestamptz, clock_timestamp())
$$;
-- +goose StatementEnd

-- rae_protect confines a table with a tenant column to the tenant (and the project, where it has that column) of the
-- transaction, owner included. The project '*' is every project of the tenant.
-- +goose StatementBegin
CREATE FUNCTION rae_protect(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    confined text := $c$tenant = current_setting('rae.tenant', true)$c$;
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = guarded AND attname = 'project' AND NOT attisdropped) THEN
        confined := confined || $c$ AND current_setting('rae.project', true) IN (project, '*')$c$;
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY confined ON %s TO rae_runtime USING (%s) WITH CHECK (%s)', guarded, confined, confined);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO rae_runtime', guarded);
END
$$;
-- +goose StatementEnd

-- The head of each scope's feed, the number of its last change, and the floor, above which its first one was numbered;
-- what BM25 needs to know of the whole scope; and the document up to which words are gathered in blocks.
CREATE TABLE scopes (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    head      bigint NOT NULL,
    floor     bigint NOT NULL,
    documents bigint NOT NULL DEFAULT 0, -- current versions
    length    bigint NOT NULL DEFAULT 0, -- their words
    gathered  bigint NOT NULL DEFAULT 0,
    language  text NOT NULL,             -- in which its words are read, for ever
    PRIMARY KEY (tenant, project)
) WITH (fillfactor = 50); -- every write updates its scope's row: leave room beside it
SELECT rae_protect('scopes');

-- A number above all that were used by scopes that have been erased; a scope that comes back goes on above it, so that a
-- reader of the old feed cannot mistake new changes for ones it has seen. One row, and no tenant in it.
CREATE TABLE erased (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    head bigint NOT NULL
);
INSERT INTO erased (head) VALUES (0);
GRANT SELECT, UPDATE ON erased TO rae_runtime;

-- The current version of every memory.
CREATE TABLE memories (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    version     integer NOT NULL,
    seq         bigint NOT NULL,        -- the change that made it what it is
    document    bigint NOT NULL,        -- the change that made this version: its number in blocks of words and in edges
    layer       text NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    agent_id    text COLLATE "C" NOT NULL,
    session_id  text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    importance  double precision NOT NULL CHECK (importance >= 0 AND importance <= 1),
    occurred_at timestamptz,
    valid_from  timestamptz,
    valid_to    timestamptz,
    expires_at  timestamptz,
    created_at  timestamptz NOT NULL,
    filed_at    timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(occurred_at, created_at)) STORED, -- its place in a session
    updated_at  timestamptz NOT NULL,   -- also the time from which this version was known
    embedding   text NOT NULL,
    fingerprint bytea NOT NULL,
    change      text NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL,
    tags        text[] NOT NULL,
    speaker     text NOT NULL,
    words       text NOT NULL,          -- its terms in order, see words.go
    body        text NOT NULL,
    content     text NOT NULL,
    PRIMARY KEY (tenant, project, id)
);
CREATE UNIQUE INDEX memories_seq ON memories (tenant, project, seq);
CREATE UNIQUE INDEX memories_document ON memories (tenant, project, document);
CREATE UNIQUE INDEX memories_fingerprint ON memories (tenant, project, fingerprint);
CREATE UNIQUE INDEX memories_external_id ON memories (tenant, project, external_id) WHERE external_id <> '';
CREATE INDEX memories_user ON memories (tenant, project, user_id, id) WHERE user_id <> '';
CREATE INDEX memories_session ON memories (tenant, project, session_id, filed_at, id) WHERE session_id <> '';
CREATE INDEX memories_expiry ON memories (expires_at) WHERE expires_at IS NOT NULL;
SELECT rae_protect('memories');
GRANT SELECT (tenant, project, id, expires_at) ON memories TO rae_system;
CREATE POLICY due ON memories FOR SELECT TO rae_system USING (current_user = 'rae_system' AND expires_at IS NOT NULL);

-- Versions that have been superseded. The current one is in memories alone: storing every content twice would double
-- the cost of the commonest write, a memory that never changes.
CREATE TABLE memory_versions (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    memory_id   uuid NOT NULL,
    version     integer NOT NULL,
    seq         bigint NOT NULL,
    document    bigint NOT NULL,
    layer       text NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    agent_id    text COLLATE "C" NOT NULL,
    session_id  text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    importance  double precision NOT NULL,
    occurred_at timestamptz,
    valid_from  timestamptz,
    valid_to    timestamptz,
    expires_at  timestamptz,
    created_at  timestamptz NOT NULL,
    filed_at    timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(occurred_at, created_at)) STORED,
    updated_at  timestamptz NOT NULL,
    recorded_to timestamptz NOT NULL,
    embedding   text NOT NULL,
    change      text NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL,
    tags        text[] NOT NULL,
    speaker     text NOT NULL,
    words       text NOT NULL,
    body        text NOT NULL,
    content     text NOT NULL,
    PRIMARY KEY (tenant, project, memory_id, version)
);
CREATE UNIQUE INDEX memory_versions_seq ON memory_versions (tenant, project, seq);
CREATE UNIQUE INDEX memory_versions_document ON memory_versions (tenant, project, document);
SELECT rae_protect('memory_versions');

-- One row per memory and model, so that a model can be exchanged online. Vectors of small scopes are compared one by
-- one; those of scopes that outgrow that are indexed, see dense.go: a few partial HNSW indexes, one per model, however
-- many tenants.
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE memory_vectors (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    memory_id uuid NOT NULL,
    model     text COLLATE "C" NOT NULL,
    version   integer NOT NULL,
    indexed   boolean NOT NULL DEFAULT false,
    vector    vector NOT NULL,
    PRIMARY KEY (tenant, project, memory_id, model)
);
CREATE INDEX memory_vectors_fresh ON memory_vectors (tenant, project, model) WHERE NOT indexed;
ALTER TABLE memory_vectors ALTER COLUMN vector SET STORAGE EXTERNAL; -- numbers don't compress; trying costs a third of an insert
SELECT rae_protect('memory_vectors');

-- Postings of a term, up to a thousand documents a row, see postings.go. The blocks of a term do not overlap.
CREATE TABLE term_blocks (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    term      text COLLATE "C" NOT NULL,
    first     bigint NOT NULL,          -- the lowest document in it
    last      bigint NOT NULL,          -- the highest
    documents integer NOT NULL,
    past      integer NOT NULL,         -- how many of them are superseded versions
    postings  bytea NOT NULL,
    PRIMARY KEY (tenant, project, term, first)
);
ALTER TABLE term_blocks ALTER COLUMN postings SET STORAGE EXTERNAL;
SELECT rae_protect('term_blocks');

-- Entities, and which version of which memory names them. Two entities are related when a version names both; when an
-- edge held, in the world and in what was known, its version says.
CREATE TABLE graph_nodes (
    tenant  text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    id      uuid NOT NULL,              -- relevance.EntityID: equal names have equal ids
    name    text NOT NULL,              -- as first written
    type    text NOT NULL,
    since   bigint NOT NULL,            -- the document that first named it
    PRIMARY KEY (tenant, project, id)
);
SELECT rae_protect('graph_nodes');

CREATE TABLE graph_edges (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    node_id   uuid NOT NULL,
    document  bigint NOT NULL,
    memory_id uuid NOT NULL,
    PRIMARY KEY (tenant, project, node_id, document) INCLUDE (memory_id)
);
CREATE INDEX graph_edges_memory ON graph_edges (tenant, project, memory_id);
SELECT rae_protect('graph_edges');

-- News of deletions for the feed: numbers and ids, nothing else.
CREATE TABLE tombstones (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    seq       bigint NOT NULL,
    memory_id uuid NOT NULL,
    PRIMARY KEY (tenant, project, seq)
);
SELECT rae_protect('tombstones');

CREATE TABLE outbox (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL,
    type        text NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    data        bytea NOT NULL,
    written_at  timestamptz NOT NULL,
    traceparent text NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    reason      text NOT NULL DEFAULT '',
    due_at      timestamptz NOT NULL DEFAULT '-infinity' -- the end of a lease or of a wait
) WITH (fillfactor = 70);
CREATE INDEX outbox_id ON outbox (id);
CREATE INDEX outbox_due ON outbox (due_at, position);
CREATE INDEX outbox_subject ON outbox (tenant, project, subject, position);
SELECT rae_protect('outbox');
GRANT SELECT, UPDATE, DELETE ON outbox TO rae_system;
CREATE POLICY relayed ON outbox TO rae_system USING (current_user = 'rae_system');

CREATE TABLE dead_letters (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL,
    type        text NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    subject     text NOT NULL,
    data        bytea NOT NULL,
    written_at  timestamptz NOT NULL,
    traceparent text NOT NULL,
    attempts    integer NOT NULL,
    reason      text NOT NULL
);
CREATE INDEX dead_letters_tenant ON dead_letters (tenant, project);
SELECT rae_protect('dead_letters');
GRANT SELECT, INSERT ON dead_letters TO rae_system;
CREATE POLICY relayed ON dead_letters TO rae_system USING (current_user = 'rae_system');

CREATE TABLE idempotency_keys (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    route       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    answer      bytea NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (answered_at);
SELECT rae_protect('idempotency_keys');
GRANT SELECT (tenant, project, route, key, answered_at), DELETE ON idempotency_keys TO rae_system;
CREATE POLICY aged ON idempotency_keys TO rae_system USING (current_user = 'rae_system');

CREATE TABLE consumed_events (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    consumer    text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    event_id    text COLLATE "C" NOT NULL,
    consumed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, consumer, source, event_id)
);
CREATE INDEX consumed_events_age ON consumed_events (consumed_at);
SELECT rae_protect('consumed_events');
GRANT SELECT, DELETE ON consumed_events TO rae_system;
CREATE POLICY aged ON consumed_events TO rae_system USING (current_user = 'rae_system');

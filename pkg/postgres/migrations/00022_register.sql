-- Who is who: what memories mention, by entity; which entities are one, and by which decisions.

-- +goose Up

-- What one reader saw one memory to mention. It goes with the memory.
CREATE TABLE entity_mentions (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    memory_id uuid NOT NULL,
    reader    text COLLATE "C" NOT NULL, -- 'told': the memory came with it; else the method of an extraction
    entity_id uuid NOT NULL,
    name      text NOT NULL,
    type      text NOT NULL,
    aliases   text NOT NULL,             -- JSON array
    seen_at   timestamptz NOT NULL,      -- when it happened, or was told
    PRIMARY KEY (tenant, project, memory_id, reader, entity_id)
);
CREATE INDEX entity_mentions_of ON entity_mentions (tenant, project, entity_id);
SELECT rae_protect('entity_mentions');

-- Whoever is one with others: what the decisions that hold come to.
CREATE TABLE entity_members (
    tenant       text COLLATE "C" NOT NULL,
    project      text COLLATE "C" NOT NULL,
    entity_id    uuid NOT NULL,
    canonical_id uuid NOT NULL,    -- who stands for it
    place        integer NOT NULL, -- among those for whom the same stands; who does has 0
    PRIMARY KEY (tenant, project, entity_id)
);
CREATE INDEX entity_members_of ON entity_members (tenant, project, canonical_id, place);
SELECT rae_protect('entity_members');

CREATE TABLE entity_decisions (
    tenant  text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    number  bigint NOT NULL,  -- 1, 2, 3 … in the order they were made
    id      uuid NOT NULL,
    apart   boolean NOT NULL, -- it keeps its two sides apart: a split that holds, a merge that was undone
    body    text NOT NULL,    -- JSON
    PRIMARY KEY (tenant, project, number)
);
CREATE UNIQUE INDEX entity_decisions_by_id ON entity_decisions (tenant, project, id);
CREATE INDEX entity_decisions_apart ON entity_decisions (tenant, project) WHERE apart;
SELECT rae_protect('entity_decisions');

-- Pairs that may be one, for somebody to decide.
CREATE TABLE entity_suggestions (
    tenant       text COLLATE "C" NOT NULL,
    project      text COLLATE "C" NOT NULL,
    a            uuid NOT NULL,
    b            uuid NOT NULL,
    score        double precision NOT NULL,
    reason       text NOT NULL,
    suggested_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, a, b)
);
SELECT rae_protect('entity_suggestions');

-- As 00006 has it: a backup of everything asks which tenants there are.
-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['entity_mentions', 'entity_members', 'entity_decisions', 'entity_suggestions'] LOOP
        EXECUTE format('GRANT SELECT (tenant) ON %I TO rae_system', t);
        EXECUTE format($p$CREATE POLICY named ON %I FOR SELECT TO rae_system USING (current_user = 'rae_system')$p$, t);
    END LOOP;
END
$$;
-- +goose StatementEnd

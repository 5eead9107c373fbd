-- Memories that are archived stand as they are, and are found by nobody who does not ask for what is archived.

-- +goose Up

ALTER TABLE memories ADD COLUMN archived_at timestamptz;
ALTER TABLE memories ADD COLUMN archived_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX memories_archived ON memories (tenant, project, id) WHERE archived_at IS NOT NULL;

-- How a project forgets, as JSON. The clock asks which projects do.
CREATE TABLE forgetting_policies (
    tenant  text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    body    text NOT NULL,
    PRIMARY KEY (tenant, project)
);
SELECT rae_protect('forgetting_policies');
GRANT SELECT (tenant, project) ON forgetting_policies TO rae_system;
CREATE POLICY listed ON forgetting_policies FOR SELECT TO rae_system USING (current_user = 'rae_system');

-- How often answers held a memory, and what was said of it. body holds the last of what was said, as JSON.
CREATE TABLE memory_use (
    tenant       text COLLATE "C" NOT NULL,
    project      text COLLATE "C" NOT NULL,
    memory_id    uuid NOT NULL,
    hits         bigint NOT NULL CHECK (hits >= 0),
    last_used_at timestamptz,
    helpful      bigint NOT NULL CHECK (helpful >= 0),
    unhelpful    bigint NOT NULL CHECK (unhelpful >= 0),
    score        double precision NOT NULL, -- the sum of what was said, each -1 to 1
    body         text NOT NULL,
    PRIMARY KEY (tenant, project, memory_id)
);
SELECT rae_protect('memory_use');

-- What memories come to: the versions of facts, what is evidence for them, and the operations by which they were learned.

-- +goose Up

CREATE TABLE facts (
    tenant        text COLLATE "C" NOT NULL,
    project       text COLLATE "C" NOT NULL,
    id            uuid NOT NULL,
    version       integer NOT NULL,
    user_id       text COLLATE "C" NOT NULL,
    kind          text NOT NULL,
    subject_id    uuid NOT NULL,
    subject_name  text NOT NULL,
    subject_type  text NOT NULL,
    relation      text COLLATE "C" NOT NULL,
    object_id     uuid NOT NULL,             -- by its name; of a value, too, which is no entity
    object_name   text NOT NULL,
    object_type   text NOT NULL,
    literal       boolean NOT NULL,
    negated       boolean NOT NULL,
    valid_from    timestamptz,
    valid_to      timestamptz,
    confidence    double precision NOT NULL,
    observed_at   timestamptz NOT NULL,
    method        text NOT NULL,
    edition       text NOT NULL,
    closed_by     uuid,                      -- a fact
    operation_id  uuid NOT NULL,
    recorded_from timestamptz NOT NULL,
    recorded_to   timestamptz,               -- NULL: still held
    PRIMARY KEY (tenant, project, id, version)
);
CREATE INDEX facts_subject ON facts (tenant, project, subject_id, relation, object_id);
CREATE INDEX facts_object ON facts (tenant, project, object_id) WHERE NOT literal;
CREATE INDEX facts_relation ON facts (tenant, project, relation, id);
CREATE INDEX facts_operation ON facts (tenant, project, operation_id);
SELECT rae_protect('facts');

CREATE TABLE fact_evidence (
    tenant         text COLLATE "C" NOT NULL,
    project        text COLLATE "C" NOT NULL,
    fact_id        uuid NOT NULL,
    memory_id      uuid NOT NULL,
    memory_version integer NOT NULL,
    start_byte     integer NOT NULL,
    end_byte       integer NOT NULL,
    told_at        timestamptz NOT NULL,
    valid_from     timestamptz,
    valid_to       timestamptz,
    confidence     double precision NOT NULL,
    closes         boolean NOT NULL,         -- it may end another fact
    method         text NOT NULL,
    edition        text NOT NULL,
    operation_id   uuid NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, fact_id, memory_id)
);
CREATE INDEX fact_evidence_memory ON fact_evidence (tenant, project, memory_id);
SELECT rae_protect('fact_evidence');

CREATE TABLE knowledge_operations (
    tenant    text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    id        uuid NOT NULL,
    memory_id uuid NOT NULL,
    at        timestamptz NOT NULL,
    closing   boolean NOT NULL,              -- it ended facts, or would have
    body      text NOT NULL,                 -- the operation as JSON
    PRIMARY KEY (tenant, project, id)
);
CREATE INDEX knowledge_operations_memory ON knowledge_operations (tenant, project, memory_id);
CREATE INDEX knowledge_operations_at ON knowledge_operations (tenant, project, at, id);
SELECT rae_protect('knowledge_operations');

-- What memories come to: the versions of facts, what is evidence for them, and the operations by which they were learned.

-- +goose Up

CREATE TABLE facts (
    tenant        TEXT NOT NULL,
    project       TEXT NOT NULL,
    id            TEXT NOT NULL,
    version       INTEGER NOT NULL,
    user_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    subject_id    TEXT NOT NULL,
    subject_name  TEXT NOT NULL,
    subject_type  TEXT NOT NULL,
    relation      TEXT NOT NULL,
    object_id     TEXT NOT NULL,             -- by its name; of a value, too, which is no entity
    object_name   TEXT NOT NULL,
    object_type   TEXT NOT NULL,
    literal       INTEGER NOT NULL,
    negated       INTEGER NOT NULL,
    valid_from    INTEGER,
    valid_to      INTEGER,
    confidence    REAL NOT NULL,
    observed_at   INTEGER NOT NULL,
    method        TEXT NOT NULL,
    edition       TEXT NOT NULL,
    closed_by     TEXT,                      -- a fact
    operation_id  TEXT NOT NULL,
    recorded_from INTEGER NOT NULL,
    recorded_to   INTEGER,                   -- NULL: still held
    PRIMARY KEY (tenant, project, id, version)
) WITHOUT ROWID;
CREATE INDEX facts_subject ON facts (tenant, project, subject_id, relation, object_id);
CREATE INDEX facts_object ON facts (tenant, project, object_id, literal);
CREATE INDEX facts_relation ON facts (tenant, project, relation);
CREATE INDEX facts_operation ON facts (tenant, project, operation_id);

CREATE TABLE fact_evidence (
    tenant         TEXT NOT NULL,
    project        TEXT NOT NULL,
    fact_id        TEXT NOT NULL,
    memory_id      TEXT NOT NULL,
    memory_version INTEGER NOT NULL,
    start_byte     INTEGER NOT NULL,
    end_byte       INTEGER NOT NULL,
    told_at        INTEGER NOT NULL,
    valid_from     INTEGER,
    valid_to       INTEGER,
    confidence     REAL NOT NULL,
    closes         INTEGER NOT NULL,         -- it may end another fact
    method         TEXT NOT NULL,
    edition        TEXT NOT NULL,
    operation_id   TEXT NOT NULL,
    recorded_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, fact_id, memory_id)
) WITHOUT ROWID;
CREATE INDEX fact_evidence_memory ON fact_evidence (tenant, project, memory_id);

CREATE TABLE knowledge_operations (
    tenant    TEXT NOT NULL,
    project   TEXT NOT NULL,
    id        TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    at        INTEGER NOT NULL,
    closing   INTEGER NOT NULL,              -- it ended facts, or would have
    body      TEXT NOT NULL,                 -- the operation as JSON
    PRIMARY KEY (tenant, project, id)
) WITHOUT ROWID;
CREATE INDEX knowledge_operations_memory ON knowledge_operations (tenant, project, memory_id);
CREATE INDEX knowledge_operations_at ON knowledge_operations (tenant, project, at, id);

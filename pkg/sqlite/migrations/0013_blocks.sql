-- Blocks: small named texts that every context begins with. blocks has the newest version of each, be it a deletion;
-- block_versions those before, as far as they are kept.

-- +goose Up

CREATE TABLE blocks (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    agent_id    TEXT NOT NULL,             -- '': of no agent
    user_id     TEXT NOT NULL,             -- '': of no user
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    change      TEXT NOT NULL,             -- 'deleted': it does not stand
    restored    INTEGER NOT NULL,          -- the version an undo brought back; 0: it was none
    description TEXT NOT NULL,
    characters  INTEGER NOT NULL,          -- its content may have
    position    INTEGER NOT NULL,
    read_only   INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    content     TEXT NOT NULL,
    PRIMARY KEY (tenant, project, agent_id, user_id, name)
);

CREATE TABLE block_versions (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    agent_id    TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    change      TEXT NOT NULL,
    restored    INTEGER NOT NULL,
    description TEXT NOT NULL,
    characters  INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    read_only   INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    content     TEXT NOT NULL,
    PRIMARY KEY (tenant, project, agent_id, user_id, name, version)
);

-- Blocks: small named texts that every context begins with. blocks has the newest version of each, be it a deletion;
-- block_versions those before, as far as they are kept.

-- +goose Up

CREATE TABLE blocks (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    agent_id    text COLLATE "C" NOT NULL, -- '': of no agent
    user_id     text COLLATE "C" NOT NULL, -- '': of no user
    name        text COLLATE "C" NOT NULL,
    version     integer NOT NULL,
    change      text NOT NULL,             -- 'deleted': it does not stand
    restored    integer NOT NULL,          -- the version an undo brought back; 0: it was none
    description text NOT NULL,
    characters  integer NOT NULL,          -- its content may have
    position    integer NOT NULL,
    read_only   boolean NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    content     text NOT NULL,
    PRIMARY KEY (tenant, project, agent_id, user_id, name)
);
SELECT rae_protect('blocks');

CREATE TABLE block_versions (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    agent_id    text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    version     integer NOT NULL,
    change      text NOT NULL,
    restored    integer NOT NULL,
    description text NOT NULL,
    characters  integer NOT NULL,
    position    integer NOT NULL,
    read_only   boolean NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    content     text NOT NULL,
    PRIMARY KEY (tenant, project, agent_id, user_id, name, version)
);
SELECT rae_protect('block_versions');

-- As 00006 has it: a backup of everything asks which tenants there are.
GRANT SELECT (tenant) ON blocks, block_versions TO rae_system;
CREATE POLICY named ON blocks FOR SELECT TO rae_system USING (current_user = 'rae_system');
CREATE POLICY named ON block_versions FOR SELECT TO rae_system USING (current_user = 'rae_system');

-- How far projections of a scope (indexes kept elsewhere) have followed its feed, and which scopes there are to follow.

-- +goose Up

-- holder names who has the lock, '' nobody; held_until is when another may take it over.
CREATE TABLE projections (
    tenant     text COLLATE "C" NOT NULL,
    project    text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    seq        bigint NOT NULL,
    holder     text NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, name)
) WITH (fillfactor = 50);
SELECT rae_protect('projections');

GRANT SELECT (tenant, project, head, floor) ON scopes TO rae_system;
CREATE POLICY listed ON scopes FOR SELECT TO rae_system USING (current_user = 'rae_system');

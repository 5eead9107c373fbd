-- How far projections of a scope (indexes kept elsewhere) have followed its feed.

-- +goose Up

-- holder names who has the lock, '' nobody; held_until is when another may take it over, in microseconds since 1970.
CREATE TABLE projections (
    tenant     TEXT NOT NULL,
    project    TEXT NOT NULL,
    name       TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    holder     TEXT NOT NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, name)
) WITHOUT ROWID;

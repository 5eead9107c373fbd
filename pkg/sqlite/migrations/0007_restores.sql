-- What tenants were restored from, and how far an interrupted restore has come.

-- +goose Up

-- hash names the rows that were restored. state is how far it has come, as JSON; '' when it is done.
CREATE TABLE restores (
    tenant TEXT NOT NULL PRIMARY KEY,
    hash   TEXT NOT NULL,
    state  TEXT NOT NULL
) WITHOUT ROWID;

-- Which embedding models a scope's memories get vectors of, where somebody or something chose.

-- +goose Up

CREATE TABLE embedding_models (
    tenant   TEXT NOT NULL,
    project  TEXT NOT NULL,
    active   TEXT NOT NULL CHECK (active <> ''),  -- searches compare its vectors
    next     TEXT NOT NULL,                       -- the scope is on its way to it; '' when it is not
    previous TEXT NOT NULL,                       -- it can be switched back to; '' for none
    chosen   INTEGER NOT NULL,                    -- by somebody, not by the program
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;

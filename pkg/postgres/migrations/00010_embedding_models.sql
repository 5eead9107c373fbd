-- Which embedding models a scope's memories get vectors of, where somebody or something chose.

-- +goose Up

CREATE TABLE embedding_models (
    tenant   text COLLATE "C" NOT NULL,
    project  text COLLATE "C" NOT NULL,
    active   text COLLATE "C" NOT NULL CHECK (active <> ''), -- searches compare its vectors
    next     text COLLATE "C" NOT NULL,                      -- the scope is on its way to it; '' when it is not
    previous text COLLATE "C" NOT NULL,                      -- it can be switched back to; '' for none
    chosen   boolean NOT NULL,                               -- by somebody, not by the program
    PRIMARY KEY (tenant, project)
);
SELECT rae_protect('embedding_models');

-- As 00006 has it: a backup of everything asks which tenants there are.
GRANT SELECT (tenant) ON embedding_models TO rae_system;
CREATE POLICY named ON embedding_models FOR SELECT TO rae_system USING (current_user = 'rae_system');

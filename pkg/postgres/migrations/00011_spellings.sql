-- What an entity is called is told by the versions that name it, each in its own spelling, so that a spelling goes with
-- the memory it comes from.

-- +goose Up

ALTER TABLE graph_edges ADD COLUMN name text NOT NULL DEFAULT '', ADD COLUMN type text NOT NULL DEFAULT '';
-- The migration sees every tenant's rows for as long as it takes.
ALTER TABLE graph_edges NO FORCE ROW LEVEL SECURITY;
ALTER TABLE graph_nodes NO FORCE ROW LEVEL SECURITY;
UPDATE graph_edges e SET name = n.name, type = n.type FROM graph_nodes n
    WHERE n.tenant = e.tenant AND n.project = e.project AND n.id = e.node_id;
ALTER TABLE graph_nodes FORCE ROW LEVEL SECURITY;
ALTER TABLE graph_edges FORCE ROW LEVEL SECURITY;
ALTER TABLE graph_edges ALTER COLUMN name DROP DEFAULT, ALTER COLUMN type DROP DEFAULT;
ALTER TABLE graph_nodes DROP COLUMN name, DROP COLUMN type;

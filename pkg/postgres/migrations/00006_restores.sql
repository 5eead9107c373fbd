-- What tenants were restored from, and how far an interrupted restore has come; who the tenants are.

-- +goose Up

-- hash names the rows that were restored. state is how far it has come, as JSON; '' when it is done.
CREATE TABLE restores (
    tenant text COLLATE "C" NOT NULL PRIMARY KEY,
    hash   text NOT NULL,
    state  text NOT NULL
);
SELECT rae_protect('restores');

-- A backup of everything asks which tenants there are, and then for each under the tenant's own confinement. rae_system
-- may see their names, in every table in which one can be without having written a memory. A role that has merely been
-- granted rae_system, and has not become it, sees nothing by this.
-- +goose StatementBegin
DO $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant'
        AND c.relname NOT IN ('memories', 'memory_versions', 'memory_vectors', 'term_blocks', 'graph_nodes', 'graph_edges', 'tombstones')
    LOOP
        EXECUTE format('GRANT SELECT (tenant) ON %s TO rae_system', guarded);
        EXECUTE format('CREATE POLICY named ON %s FOR SELECT TO rae_system USING (current_user = ''rae_system'')', guarded);
    END LOOP;
END
$$;
-- +goose StatementEnd

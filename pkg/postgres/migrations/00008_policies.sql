-- Policies ask once per query whose rows these are, and no longer once per row: a subquery that depends on no row is
-- carried out once. What they let pass is the same.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION rae_confined(guarded regclass) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT $c$tenant = (SELECT current_setting('rae.tenant', true))$c$ || CASE WHEN EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = guarded AND attname = 'project' AND NOT attisdropped
    ) THEN $c$ AND (project = (SELECT current_setting('rae.project', true))
        OR (SELECT current_setting('rae.project', true)) = '*')$c$ ELSE '' END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION rae_protect(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    confined text := rae_confined(guarded);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY confined ON %s TO rae_runtime USING (%s) WITH CHECK (%s)', guarded, confined, confined);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO rae_runtime', guarded);
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN SELECT polrelid FROM pg_policy WHERE polname = 'confined' LOOP
        EXECUTE format('ALTER POLICY confined ON %s USING (%s) WITH CHECK (%s)', guarded, rae_confined(guarded), rae_confined(guarded));
    END LOOP;
END
$$;
-- +goose StatementEnd

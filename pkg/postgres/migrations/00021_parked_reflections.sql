-- Reflections that wait: for another attempt, or for the refill of a budget. leased_to is when one of them is due: of a queued or
-- parked one as it waits, '-infinity' where it does not, 'infinity' where somebody has to call it.

-- +goose Up

DROP INDEX reflections_open;
CREATE INDEX reflections_open ON reflections (created_at, id) WHERE status IN ('queued', 'running', 'parked');
DROP POLICY due ON reflections;
CREATE POLICY due ON reflections FOR SELECT TO rae_system USING (current_user = 'rae_system' AND status IN ('queued', 'running', 'parked'));

-- Which memories have been read, and by what; and which wait, and for what.
CREATE TABLE reflection_readings (
    tenant     text COLLATE "C" NOT NULL,
    project    text COLLATE "C" NOT NULL,
    id         uuid NOT NULL,             -- of the memory
    version    integer NOT NULL,          -- of it that was read, or waits
    edition    text NOT NULL,             -- of the rules or the prompt that read it; '' while it waits
    owner      text COLLATE "C" NOT NULL, -- whose memories it waits with; '' when it does not
    reflection uuid,                      -- that it waits for
    PRIMARY KEY (tenant, project, id)
);
CREATE INDEX reflection_readings_waiting ON reflection_readings (tenant, project, owner, reflection) WHERE edition = '';
SELECT rae_protect('reflection_readings');

-- As 00006 has it: a backup of everything asks which tenants there are.
GRANT SELECT (tenant) ON reflection_readings TO rae_system;
CREATE POLICY named ON reflection_readings FOR SELECT TO rae_system USING (current_user = 'rae_system');

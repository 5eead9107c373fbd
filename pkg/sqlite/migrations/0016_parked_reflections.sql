-- Reflections that wait: for another attempt, or for the refill of a budget. leased_to is when one of them is due: of a queued or
-- parked one as it waits, 0 where it does not, the last there is where somebody has to call it.

-- +goose Up

UPDATE reflections SET leased_to = 0 WHERE status = 'queued';
DROP INDEX reflections_open;
CREATE INDEX reflections_open ON reflections (created_at, id) WHERE status IN ('queued', 'running', 'parked');

-- Which memories have been read, and by what; and which wait, and for what.
CREATE TABLE reflection_readings (
    tenant     TEXT NOT NULL,
    project    TEXT NOT NULL,
    id         TEXT NOT NULL,    -- of the memory
    version    INTEGER NOT NULL, -- of it that was read, or waits
    edition    TEXT NOT NULL,    -- of the rules or the prompt that read it; '' while it waits
    owner      TEXT NOT NULL,    -- whose memories it waits with; '' when it does not
    reflection TEXT,             -- that it waits for
    PRIMARY KEY (tenant, project, id)
) WITHOUT ROWID;
CREATE INDEX reflection_readings_waiting ON reflection_readings (tenant, project, owner, reflection) WHERE edition = '';

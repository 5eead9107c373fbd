-- Memories that are archived stand as they are, and are found by nobody who does not ask for what is archived.

-- +goose Up

ALTER TABLE memories ADD COLUMN archived_at timestamptz;
ALTER TABLE memories ADD COLUMN archived_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX memories_archived ON memories (tenant, project, id) WHERE archived_at IS NOT NULL;

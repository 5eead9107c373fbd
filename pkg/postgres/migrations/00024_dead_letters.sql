-- A broker's dead letters are put to ours, and any may be given back to be sent again.

-- +goose Up

CREATE INDEX dead_letters_id ON dead_letters (id);
GRANT UPDATE (reason), DELETE ON dead_letters TO rae_system;
GRANT INSERT ON outbox TO rae_system;

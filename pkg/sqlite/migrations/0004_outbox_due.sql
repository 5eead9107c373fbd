-- A relay finds what is due without reading past all that waits for its next try.

-- +goose Up

CREATE INDEX outbox_due ON outbox (due_at);

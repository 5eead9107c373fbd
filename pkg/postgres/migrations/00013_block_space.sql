-- The last block of a term grows with every gathering. Room is left beside it, so that it can grow in its page and the
-- index need not be told.

-- +goose Up
ALTER TABLE term_blocks SET (fillfactor = 60);

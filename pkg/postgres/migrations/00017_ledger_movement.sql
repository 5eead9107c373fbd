-- What lets a transaction spend without having read the books (pkg/postgres/move.go): one row of an account says how far it
-- has moved, and when a lease may end next. The stamp is another one only when limits, prices, announcements or the day are.

-- +goose Up

ALTER TABLE tenant_accounts
    ADD COLUMN spent_cost       bigint NOT NULL DEFAULT 0, -- counts what is booked; where it began means nothing
    ADD COLUMN spent_tokens     bigint NOT NULL DEFAULT 0,
    ADD COLUMN pot_spent_cost   bigint NOT NULL DEFAULT 0,
    ADD COLUMN pot_spent_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN lapses_at        timestamptz NOT NULL DEFAULT '-infinity'; -- no live reservation's lease ends before
ALTER TABLE budget_accounts
    ADD COLUMN spent_cost   bigint NOT NULL DEFAULT 0,
    ADD COLUMN spent_tokens bigint NOT NULL DEFAULT 0;

-- A policy's subqueries (00008) are set up for every statement, which takes longer than to compare a row or two with a
-- setting. No statement reads many rows of these tables. What their policies let pass is the same.
-- +goose StatementBegin
DO $$
DECLARE
    guarded  text;
    confined text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['budgets', 'budget_accounts', 'budget_usage', 'tenant_budgets', 'tenant_accounts', 'tenant_usage',
        'reservations', 'prices'] LOOP
        confined := $c$tenant = current_setting('rae.tenant', true)$c$;
        IF guarded NOT LIKE 'tenant%' AND guarded <> 'prices' THEN
            confined := confined || $c$ AND current_setting('rae.project', true) IN (project, '*')$c$;
        END IF;
        EXECUTE format('ALTER POLICY confined ON %I USING (%s) WITH CHECK (%s)', guarded, confined, confined);
    END LOOP;
END
$$;
-- +goose StatementEnd

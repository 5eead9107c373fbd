package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

func BenchmarkScratch(b *testing.B) {
	url := lasting(b)
	limit, cost := 1_000_000_000*budget.USD, budget.USD
	mk := func(u string) *postgres.Ledger {
		db := openAt(b, u, postgres.Options{Connections: 4})
		return postgres.NewLedger(db, budget.Policy{Defaults: budget.Limits{Monthly: &limit}})
	}
	durable := mk(url)
	sep := "?"
	if slices.Contains([]byte(url), '?') {
		sep = "&"
	}
	fast := mk(url + sep + "options=-c%20synchronous_commit%3Doff")
	_ = guardedSpend(b, url)
	conn := connect(b, url)
	fastConn := connect(b, url+sep+"options=-c%20synchronous_commit%3Doff")
	ctx := context.Background()
	var ids [2][]memory.ID
	reserve := func(l *postgres.Ledger, k int) func() error {
		return func() error {
			r, err := l.Reserve(ctx, memory.Scope{Tenant: fmt.Sprint("t", k), Project: "p"}, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
			ids[k] = append(ids[k], r.ID)
			return err
		}
	}
	settle := func(l *postgres.Ledger, k int) func() error {
		return func() error {
			id := ids[k][len(ids[k])-1]
			_, err := l.Settle(ctx, memory.Scope{Tenant: fmt.Sprint("t", k), Project: "p"}, id, budget.Settle{Cost: &cost})
			return err
		}
	}
	const update = `UPDATE guarded SET used = used + 1 WHERE scope = 'acme' AND used + held + 1 <= most`
	steps := []struct {
		name string
		do   func() error
	}{
		{"select 1", func() error { _, err := conn.Exec(ctx, "SELECT 1"); return err }},
		{"update", func() error { _, err := conn.Exec(ctx, update); return err }},
		{"update async", func() error { _, err := fastConn.Exec(ctx, update); return err }},
		{"reserve", reserve(durable, 0)}, {"settle", settle(durable, 0)},
		{"reserve async", reserve(fast, 1)}, {"settle async", settle(fast, 1)},
	}
	took := make([][]time.Duration, len(steps))
	for range 500 {
		for i, s := range steps {
			began := time.Now()
			if err := s.do(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i, s := range steps {
		slices.Sort(took[i])
		b.Logf("%-14s p10 %v p50 %v p90 %v", s.name, took[i][50], took[i][250], took[i][450])
	}
}

// Package contract_test holds what speaks to a function over HTTP to the suites its ports are held to: the wire may
// lose nothing.
package contract_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	budgetfn "github.com/rae-memory/rae/functions/budget"
	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/client"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/serve"
)

// overHTTP is the ledger a caller far away sees. Expire has no route: holds return by themselves and by the event
// drain.due, which tells nobody how many, so that one clause is asked of the ledger behind the server. So is Spending: what
// the API tells of it is the overview that is made of it.
type overHTTP struct {
	*client.Ledger
	behind budget.Ledger
}

var _ budget.Ledger = overHTTP{}

func (o overHTTP) Expire(ctx context.Context, limit int) (int, error) {
	return o.behind.Expire(ctx, limit)
}

func (o overHTTP) Spending(ctx context.Context, tenant string, q budget.SpendingQuery) (budget.Spending, error) {
	return o.behind.Spending(ctx, tenant, q)
}

func TestTheWireLosesNothingOfALedger(t *testing.T) {
	t.Parallel()
	budgettest.Run(t, "inmem over HTTP", func(t *testing.T, s budgettest.Setup) budgettest.Opened {
		db := inmem.New(inmem.Options{Clock: s.Clock})
		behind := inmem.NewLedger(db, s.Policy)
		log := slog.New(slog.DiscardHandler)
		host := serve.LocalDefaults()
		host.Auth = auth.None
		server, err := serve.New(host, serve.Runtime{Log: log, Metrics: prometheus.NewRegistry(), Version: "test"},
			budgetfn.New(behind, auth.RequireAdmin, log))
		if err != nil {
			t.Fatal(err)
		}
		listening := httptest.NewServer(server.Handler())
		t.Cleanup(listening.Close)
		c, err := client.New(listening.URL, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return budgettest.Opened{Ledger: overHTTP{c.Ledger(), behind}, Outbox: db, Erase: db.EraseTenant, DefaultProject: true}
	})
}

package postgres_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
)

// cloud makes unit vectors in clusters, as those of an embedder lie.
type cloud struct {
	*rand.Rand
	centres [][]float64
}

func newCloud(clusters, dimensions int) *cloud {
	c := &cloud{Rand: rand.New(rand.NewPCG(1, 9))}
	for range clusters {
		centre := make([]float64, dimensions)
		for i := range centre {
			centre[i] = c.NormFloat64()
		}
		c.centres = append(c.centres, centre)
	}
	return c
}

func (c *cloud) vector() []float32 {
	centre := c.centres[c.IntN(len(c.centres))]
	values, norm := make([]float32, len(centre)), 0.0
	near := make([]float64, len(centre))
	for i := range near {
		near[i] = centre[i] + .6*c.NormFloat64()
		norm += near[i] * near[i]
	}
	for i := range values {
		values[i] = float32(near[i] / math.Sqrt(norm))
	}
	return values
}

const model = "it's a \\ model"

// fill stores n memories with vectors. Of their tags, one in ten has "tenth", one in a hundred "hundredth", and so on.
func (c *cloud) fill(t testing.TB, db *postgres.DB, scope memory.Scope, n int) {
	t.Helper()
	for first := 0; first < n; first += 500 {
		err := db.Write(t.Context(), scope, func(tx memory.Tx) error {
			var entries []memory.Entry
			for i := first; i < min(first+500, n); i++ {
				m := memory.Memory{Content: fmt.Sprint("note ", i), Tags: []string{"all"}}
				for _, tag := range []struct {
					name  string
					every int
				}{{"half", 2}, {"tenth", 10}, {"hundredth", 100}, {"thousandth", 1000}} {
					if i%tag.every == 0 {
						m.Tags = append(m.Tags, tag.name)
					}
				}
				entries = append(entries, memory.Entry{Memory: m, Vectors: []memory.Vector{{Model: model, Values: c.vector()}}})
			}
			return putAll(t.Context(), tx, entries)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A scope that has outgrown comparing one by one is answered by the index, which small tenants have no part in, and whose
// answers are as good as exact ones however few pass the filter.
func TestTheVectorIndexMissesNothing(t *testing.T) {
	t.Parallel()
	const dimensions, n, exactly = 32, 6000, 400
	url := fresh(t)
	db := openAt(t, url, postgres.Options{})
	c := newCloud(50, dimensions)
	c.fill(t, db, acme, n)
	for i := range 10 {
		c.fill(t, db, memory.Scope{Tenant: fmt.Sprint("small", i), Project: "default"}, 50)
	}
	before := indexes(t, url)
	for range 2 { // the second time there is nothing to do
		if err := postgres.EnsureVectorIndex(t.Context(), url, model, dimensions); err != nil {
			t.Fatal(err)
		}
	}
	if after := indexes(t, url); after != before+1 {
		t.Fatalf("%d indexes, %d before", after, before)
	}
	quick, exact := postgres.Dense{DB: db, Model: model, Exact: exactly}, postgres.Dense{DB: db, Model: model, Exact: 10 * n}
	small := memory.Scope{Tenant: "small1", Project: "default"}
	if marked, err := quick.IndexVectors(t.Context(), small, dimensions, n); err != nil || marked != 0 {
		t.Errorf("%d vectors of a small scope are indexed, %v", marked, err)
	}
	if marked, err := quick.IndexVectors(t.Context(), acme, dimensions, n-700); err != nil || marked != n-700 {
		t.Fatalf("%d vectors are indexed, %v", marked, err)
	}
	analyze(t, url)
	for _, tag := range []string{"", "half", "tenth", "hundredth", "thousandth"} {
		t.Run("recall under "+tag, func(t *testing.T) {
			q := search.Query{Scope: acme}
			if tag != "" {
				q.Filter.Tags = []string{tag}
			}
			recall(t, c, q, quick, exact)
		})
	}
}

// recall compares the ten nearest of many questions.
func recall(t *testing.T, c *cloud, q search.Query, quick, exact search.Leg) {
	const questions, depth = 60, 10
	found, wanted := 0, 0
	for range questions {
		q.Vector = c.vector()
		want, err := exact.Retrieve(t.Context(), q, depth)
		if err != nil {
			t.Fatal(err)
		}
		got, err := quick.Retrieve(t.Context(), q, depth)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d hits, there are %d", len(got), len(want))
		}
		ids := map[memory.ID]bool{}
		for _, hit := range want {
			ids[hit.ID] = true
		}
		for _, hit := range got {
			if ids[hit.ID] {
				found++
			}
		}
		wanted += len(want)
	}
	if share := float64(found) / float64(wanted); share < .99 {
		t.Errorf("recall is %.3f", share)
	} else {
		t.Logf("recall %.4f", share)
	}
}

func indexes(t *testing.T, url string) (n int) {
	t.Helper()
	askDatabase(t, url, `SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema()`, &n)
	return n
}

func analyze(t testing.TB, url string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), `VACUUM ANALYZE`); err != nil {
		t.Fatal(err)
	}
}

// ask asks for one value, as the database's owner.
func askDatabase(t testing.TB, url, query string, into any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), query).Scan(into); err != nil {
		t.Fatal(err)
	}
}

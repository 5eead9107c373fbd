package main

import (
	"context"
	"time"
)

// sizes is how much is done of everything on the embedded store.
type sizes struct {
	starts   int   // of each program
	scopes   []int // memories in each scope that is searched
	imported int   // memories of the import in process
	searches int   // per scope and way
	writes   int   // of one client
	clients  int   // at once
}

func (o *options) onSQLite() sizes {
	s := sizes{starts: 20, scopes: []int{600, 10_000, 100_000}, imported: 20_000, searches: 300, writes: 300, clients: 32}
	if o.quick {
		s = sizes{starts: 5, scopes: []int{600, 10_000}, imported: 2_000, searches: 60, writes: 60, clients: 32}
	}
	if len(o.scopes) > 0 {
		s.scopes = o.scopes
	}
	return s
}

// embeddedRun times the programs on the embedded store.
type embeddedRun struct {
	*bench
	sizes
	part *part
	bare sample // durable inserts of one row without RAE
}

func (b *bench) onSQLite(ctx context.Context) (*part, error) {
	const limit = 4 * time.Minute // for any step
	r := &embeddedRun{bench: b, sizes: b.options.onSQLite(), part: &part{
		Name: "Embedded store", About: []string{"Every search is of another query unless it says so; every write is durable."}, Load: []float64{load()},
	}}
	var before, after []control
	err := follow(ctx, []step{
		{"control, before", limit, func(ctx context.Context) (err error) { before, err = r.control(ctx); return err }},
		{"cold starts", limit, r.coldStarts},
		{"searches", limit, r.searching},
		{"imports in process", limit, r.importing},
		{"writes", limit, r.writing},
		{"reservations", limit, r.spending},
		{"control, after", limit, func(ctx context.Context) (err error) { after, err = r.control(ctx); return err }},
	})
	if err != nil {
		return r.part, err
	}
	r.part.looked(before, after)
	return r.part, nil
}

// looked notes what the controls were before and after.
func (p *part) looked(before, after []control) {
	for i, c := range before {
		c.After = after[i].Before
		p.Controls = append(p.Controls, c)
	}
	p.Load = append(p.Load, load())
}

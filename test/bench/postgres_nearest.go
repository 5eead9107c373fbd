package main

import (
	"context"
	"fmt"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
)

// nearestOf asks for the ten nearest memories under filters that let few pass, and compares with comparing every vector
// one by one. The scope's vectors are in the index, which is asked wherever the leg thinks that it pays: it is told that
// comparing one by one pays up to a two-thousandth of the scope, where it would say 10,000 vectors by itself.
func (r *productionRun) nearestOf(ctx context.Context, n int) error {
	db, err := postgres.Open(r.login, postgres.Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	model := r.embedder.Model()
	quick, exact := postgres.Dense{DB: db, Model: model, Exact: max(1, n/2000)}, postgres.Dense{DB: db, Model: model, Exact: 10 * n}
	if err := r.index(ctx, quick, n); err != nil {
		return err
	}
	for _, s := range selectivities {
		returned, asked, shared, err := r.nearest(ctx, n, s.tag, quick, exact)
		if err != nil {
			return err
		}
		under := fmt.Sprintf("1 in %d", s.every)
		r.part.add(figure{What: "nearest neighbours returned, filter " + under, Memories: n, Value: returned, Unit: ofRows}.against("asked", asked).atLeast(1))
		r.part.add(figure{What: "… of them the exact ones, filter " + under, Memories: n, Value: shared, Unit: ofRows}.against("asked", asked).atLeast(.99))
	}
	return nil
}

// index has every vector of the scope in the index, unless the leg finds the scope too small. That is fastest by marking
// first and making the index afterwards.
func (r *productionRun) index(ctx context.Context, leg postgres.Dense, n int) error {
	_, err := r.owner.Exec(ctx, `DO $$ DECLARE i regclass; BEGIN
		FOR i IN SELECT c.oid FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'hnsw' AND c.relkind = 'i' LOOP
			EXECUTE 'DROP INDEX ' || i;
		END LOOP;
	END $$`)
	if err != nil {
		return err
	}
	if _, err := leg.IndexVectors(ctx, scopeOf(n), r.embedder.Dimensions(), n); err != nil {
		return err
	}
	if err := postgres.EnsureVectorIndex(ctx, r.owner.Config().ConnString(), leg.Model, r.embedder.Dimensions()); err != nil {
		return err
	}
	return tidy(ctx, r.owner)
}

// nearest counts over many questions: the rows returned, those an exact search has, and those that are in both.
func (r *productionRun) nearest(ctx context.Context, n int, tag string, quick, exact search.Leg) (returned, asked, shared float64, err error) {
	const depth = 10
	ask := newSpeaker(r.seed, uint64(6000+n))
	for i := range r.amounts.nearest {
		q := search.Query{Scope: scopeOf(n), Filter: memory.Filter{Tags: []string{tag}}}
		if q.Vector, err = r.embedder.EmbedQuery(ctx, ask.query(i)); err != nil {
			return 0, 0, 0, err
		}
		want, err := exact.Retrieve(ctx, q, depth)
		if err != nil {
			return 0, 0, 0, err
		}
		got, err := quick.Retrieve(ctx, q, depth)
		if err != nil {
			return 0, 0, 0, err
		}
		wanted := map[memory.ID]bool{}
		for _, hit := range want {
			wanted[hit.ID] = true
		}
		for _, hit := range got {
			if wanted[hit.ID] {
				shared++
			}
		}
		returned, asked = returned+float64(len(got)), asked+float64(len(want))
	}
	return returned, asked, shared, nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/postgres"
)

// importBlocks is how many pieces an import is cut into. Each is large, for what is imported at once pays once for the
// beginning and the end.
const importBlocks = 4

// block is a piece of an import, made before anything is timed.
type block struct {
	stream   []byte // JSON lines
	contents []string
}

// importing fills the scope through HTTP, in turns with a binary COPY of the same contents.
func (r *productionRun) importing(ctx context.Context, n int) error {
	blocks, err := r.told(n)
	if err != nil {
		return err
	}
	table, err := r.plain.table(ctx, "imported", n)
	if err != nil {
		return err
	}
	server, err := r.serve(ctx, r.environment()...)
	if err != nil {
		return err
	}
	defer server.Kill()
	caller := newCaller(server.URL)
	defer caller.close()
	timed := func(rows int, do func() error) (float64, error) {
		began := time.Now()
		err := do()
		return float64(rows) / time.Since(began).Seconds(), err
	}
	t, err := inTurns(ctx, importBlocks, func(i int) (float64, error) {
		return timed(len(blocks[i].contents), func() error {
			_, err := caller.do(ctx, "POST", "/v1/memories/import", bytes.NewReader(blocks[i].stream), "X-Project-ID", projectOf(n))
			return err
		})
	}, func(i int) (float64, error) {
		return timed(len(blocks[i].contents), func() error { return r.plain.copy(ctx, table, blocks[i].contents) })
	})
	if err != nil {
		return err
	}
	r.part.add(compared("import, HTTP", n, perSecond, t, "bare binary COPY").atLeast(.15))
	if err := r.followed(ctx, n); err != nil {
		return err
	}
	return r.imported(ctx, n)
}

// followed gives the server its time for the events of the import, one for each memory, and tells how fast it was. What
// it has not come to is taken away, except for what makes searches faster: that is done here.
func (r *productionRun) followed(ctx context.Context, n int) error {
	waiting := func() (events int, err error) {
		return events, r.owner.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&events)
	}
	before, err := waiting()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	if err := drained(limited, r.owner); err != nil && limited.Err() == nil {
		return err
	}
	spent := time.Since(began)
	after, err := waiting()
	if err != nil {
		return err
	}
	if before > after {
		r.part.add(rate(fmt.Sprintf("events consumed after the import, in %.0f s at most", patience.Seconds()), n, before-after, spent))
	}
	if err := settle(ctx, r.owner); err != nil {
		return err
	}
	return r.gather(ctx, n)
}

// gather does for the scope what events would have done in time.
func (r *productionRun) gather(ctx context.Context, n int) error {
	db, err := postgres.Open(r.login, postgres.Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // what was written is in the database
	for {
		gathered, err := db.Gather(ctx, scopeOf(n))
		if err != nil {
			return err
		}
		if gathered == 0 {
			break
		}
	}
	return r.index(ctx, db.Legs(r.embedder.Model()).Dense, n)
}

// imported makes sure that the scope has what the figures say.
func (r *productionRun) imported(ctx context.Context, n int) error {
	var stored int
	err := r.owner.QueryRow(ctx, `SELECT count(*) FROM memories WHERE tenant = $1 AND project = $2`, tenant, projectOf(n)).Scan(&stored)
	if err == nil && stored < n { // what is derived from them comes on top
		err = fmt.Errorf("%d memories of %d are stored", stored, n)
	}
	return err
}

// told makes up the memories of a scope. Of their tags, one memory in ten has "tenth", and so on.
func (r *productionRun) told(n int) ([]block, error) {
	speaker := newSpeaker(r.seed, uint64(1000+n))
	blocks := make([]block, importBlocks)
	for i := range n {
		turn := speaker.turn(i)
		turn["tags"] = tagsOf(i)
		line, err := json.Marshal(turn)
		if err != nil {
			return nil, err
		}
		b := &blocks[i*importBlocks/n]
		b.stream = append(append(b.stream, line...), '\n')
		b.contents = append(b.contents, turn["content"].(string))
	}
	return blocks, nil
}

// selectivities are tags, and one in how many memories has them.
var selectivities = []struct {
	tag   string
	every int
}{{"tenth", 10}, {"hundredth", 100}, {"thousandth", 1000}}

func tagsOf(i int) []string {
	tags := []string{"all"}
	for _, s := range selectivities {
		if i%s.every == 0 {
			tags = append(tags, s.tag)
		}
	}
	return tags
}

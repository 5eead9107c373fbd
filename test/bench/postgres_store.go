package main

import (
	"context"
	"fmt"
)

// manyClients is how many write at once.
const manyClients = 32

// storeRate is the figure that the outbox is compared with.
const storeRate = "store one memory, HTTP, 32 clients"

// storing stores memories in the scope one at a time, by one client and by many, in turns with bare inserts of the same
// contents into a table of as many rows.
func (r *productionRun) storing(ctx context.Context, n int) error {
	table, err := r.plain.table(ctx, "stored", n)
	if err != nil {
		return err
	}
	if err := r.plain.copyAll(ctx, fmt.Sprintf("imported_%d", n), table); err != nil {
		return err
	}
	server, err := r.serve(ctx, r.environment()...)
	if err != nil {
		return err
	}
	defer server.Kill()
	caller := newCaller(server.URL)
	defer caller.close()
	store := func(content string) error {
		_, err := caller.do(ctx, "POST", "/v1/memories", map[string]any{"content": content}, "X-Project-ID", projectOf(n))
		return err
	}
	insert := func(content string) error { return r.plain.insert(ctx, table, content) }
	for i := range 20 { // opens the store, and prepares what is said often
		if err := store(fmt.Sprint("To begin with, ", i, ".")); err != nil {
			return err
		}
	}
	if err := r.alone(ctx, n, store, insert); err != nil {
		return err
	}
	if err := r.together(ctx, n, store, insert); err != nil {
		return err
	}
	return settle(ctx, r.owner)
}

// alone is one client.
func (r *productionRun) alone(ctx context.Context, n int, store, insert func(content string) error) error {
	saying := func(do func(string) error) side {
		say := newSpeaker(r.seed, uint64(2000+n))
		return p50s(r.calls, func(i int) error { return do(fmt.Sprintf("%s Number %d.", say.sentence(), i)) })
	}
	t, err := inTurns(ctx, r.blocks, saying(store), saying(insert))
	if err != nil {
		return err
	}
	r.part.add(compared("store one memory, HTTP, 1 client", n, inMilliseconds, t, "bare durable INSERT").atMost(3))
	return nil
}

// together is many clients at once, all in the one scope.
func (r *productionRun) together(ctx context.Context, n int, store, insert func(content string) error) error {
	saying := func(do func(string) error) side {
		speakers := newSpeakers(r.seed, uint64(3000+n), manyClients)
		return crowds(manyClients, r.crowd, func(client, i int) error {
			return do(fmt.Sprintf("%s Number %d of %d.", speakers[client].sentence(), i, client))
		})
	}
	t, err := inTurns(ctx, r.blocks, saying(store), saying(insert))
	if err != nil {
		return err
	}
	r.part.add(compared(storeRate, n, perSecond, t, "as many bare inserters").atLeast(.30))
	return nil
}

// copyAll copies the rows of a table.
func (p *plain) copyAll(ctx context.Context, from, into string) error {
	_, err := p.Exec(ctx, `INSERT INTO `+into+` SELECT * FROM `+from)
	return err
}

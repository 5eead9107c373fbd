package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// plain is a database without RAE on the same server: tables of an id and a content, which any store of memories must
// write at least.
type plain struct {
	*pgxpool.Pool
	seed uint64
}

func (r *productionRun) openPlain(ctx context.Context) (*plain, error) {
	url, err := r.server.Create("plain")
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = manyClients
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &plain{pool, r.seed}, nil
}

func (p *plain) close() { p.Close() }

// table makes a table and returns its name.
func (p *plain) table(ctx context.Context, of string, n int) (string, error) {
	name := fmt.Sprintf("%s_%d", of, n)
	_, err := p.Exec(ctx, `CREATE TABLE `+name+` (id uuid PRIMARY KEY, content text NOT NULL)`)
	return name, err
}

func newID() (id [16]byte) {
	rand.Read(id[:]) //nolint:errcheck // never fails
	return id
}

// insert is one durable row.
func (p *plain) insert(ctx context.Context, table, content string) error {
	_, err := p.Exec(ctx, `INSERT INTO `+table+` VALUES ($1, $2)`, newID(), content)
	return err
}

// copy is binary COPY of rows, durable together.
func (p *plain) copy(ctx context.Context, table string, contents []string) error {
	_, err := p.CopyFrom(ctx, pgx.Identifier{table}, []string{"id", "content"}, pgx.CopyFromSlice(len(contents), func(i int) ([]any, error) {
		return []any{newID(), contents[i]}, nil
	}))
	return err
}

// control measures what no engine can be faster than on this machine and this server.
func (p *plain) control(ctx context.Context, rounds int) ([]control, error) {
	table, err := p.table(ctx, "control", int(time.Now().UnixMilli()))
	if err != nil {
		return nil, err
	}
	ask, err := measure(rounds, func(int) error { _, err := p.Exec(ctx, `SELECT 1`); return err })
	if err != nil {
		return nil, err
	}
	speaker := newSpeaker(p.seed, 1)
	insert, err := measure(rounds, func(int) error { return p.insert(ctx, table, speaker.sentence()) })
	if err != nil {
		return nil, err
	}
	const copied, copies = 2000, 11
	contents := make([]string, copied)
	for i := range contents {
		contents[i] = speaker.sentence()
	}
	bulk, err := measure(copies, func(int) error { return p.copy(ctx, table, contents) })
	if err != nil {
		return nil, err
	}
	hello, err := helloHTTP(ctx)
	if err != nil {
		return nil, err
	}
	return []control{
		atFirst("SELECT 1 through pgx", ask), atFirst("bare durable INSERT through pgx", insert),
		{What: fmt.Sprintf("bare binary COPY, %d rows at a time", copied), Before: copied / bulk.p50().Seconds(), Unit: perSecond},
		atFirst("HTTP hello world, one connection", hello),
	}, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
)

// withoutQdrant compares a server whose Qdrant is gone with one that has it.
func (r *productionRun) withoutQdrant(ctx context.Context, n int) (err error) {
	q, err := openQdrant()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close(context.WithoutCancel(ctx))) }()
	if about := "Qdrant is " + q.told + "."; !slices.Contains(r.part.About, about) {
		r.part.About = append(r.part.About, about)
	}
	// Where the machine is busy, the deadline of an answer would be what is measured.
	c := companion{name: "qdrant", variable: "RAE_QDRANT_URL", address: q.address, env: []string{"RAE_QDRANT_PREFIX=" + q.prefix, "RAE_QDRANT_TIMEOUT=2s"}}
	if err := r.command(ctx, r.environment(append(c.env, c.variable+"="+q.address)...), "reindex", "qdrant", "--tenant", tenant); err != nil {
		return err
	}
	for _, mode := range []string{"hybrid", "dense"} {
		if err := r.without(ctx, n, c, mode, "search, "+mode+", HTTP, Qdrant down", 4); err != nil {
			return err
		}
	}
	return nil
}

// usedQdrant is a Qdrant for one step: a real one, in which this run has collections of its own, or one that stands in.
type usedQdrant struct {
	address string // grpc://host:port
	told    string // which it is
	prefix  string // of names of collections
	standIn *qdranttest.Server
}

func openQdrant() (*usedQdrant, error) {
	q := &usedQdrant{prefix: fmt.Sprintf("rae_bench_%d", os.Getpid())}
	given := os.Getenv("RAE_TEST_QDRANT_URL")
	if given == "" {
		var err error
		q.told = "a stand-in in the benchmark's own process, which compares every vector (RAE_TEST_QDRANT_URL names a real one)"
		if q.standIn, err = qdranttest.Run(); err == nil {
			q.address = q.standIn.URL()
		}
		return q, err
	}
	target, err := qdrant.ParseURL(given)
	if err != nil || target.TLS {
		return nil, errors.Join(errors.New("RAE_TEST_QDRANT_URL must be grpc://host:port: it is reached through a proxy that can be cut"), err)
	}
	q.address = "grpc://" + net.JoinHostPort(target.Host, strconv.Itoa(target.Port))
	q.told = "the one that RAE_TEST_QDRANT_URL names"
	return q, nil
}

// close removes what this run made.
func (q *usedQdrant) close(ctx context.Context) error {
	if q.standIn != nil {
		q.standIn.Stop()
		return nil
	}
	target, err := qdrant.ParseURL(q.address)
	if err != nil {
		return err
	}
	client, err := api.NewClient(&api.Config{Host: target.Host, Port: target.Port, SkipCompatibilityCheck: true})
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // all has been answered
	names, err := client.ListCollections(ctx)
	for _, name := range names {
		if strings.HasPrefix(name, q.prefix) {
			err = errors.Join(err, client.DeleteCollection(ctx, name))
		}
	}
	return err
}

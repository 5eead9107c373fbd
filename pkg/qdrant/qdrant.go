// Package qdrant keeps a copy of the memories' vectors in Qdrant and searches it: a leg of search whose answers are
// checked and filled up with what changed since the copy was made, a projector that follows memory.Feed, and the tools
// to make the copy anew, compare it and erase from it. The store stays the only source of truth: Qdrant may lag, lie or
// be away, and the leg then hands the question to another one.
//
// All tenants share one collection per embedding model, as Qdrant advises (many small tenants: payload partitioning
// with a tenant index). Other models have collections of their own, because a vector can not be added to a
// collection's scheme before Qdrant 1.18. It needs Qdrant 1.16 or newer, for the metadata of a collection.
package qdrant

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"github.com/rae-memory/rae/pkg/fault"
)

// Options of an Index. URL, Model and Dimensions are required.
type Options struct {
	URL        string        // see Target
	Key        string        // API key; "" = none
	Model      string        // id of the embedding model whose vectors are kept
	Dimensions int           // of its vectors
	Prefix     string        // of collection names, lower-case letters, digits, "-" and "_"; "" = "rae"
	Timeout    time.Duration // of Qdrant's part of a search; 0 = 250 ms
	RetryAfter time.Duration // how long a Qdrant that failed is left alone; 0 = 5 s
	Log        *slog.Logger  // nil: says nothing
	// Dropped is told of rows Qdrant gave that were not taken, and why: "nan", "foreign", "generation", "unreadable",
	// "duplicate" or "surplus"; and of vectors not given to it, "dimensions". nil: nobody is told.
	Dropped func(reason string, rows int)
}

// Index is the vectors of one model in one Qdrant. Its methods are safe for concurrent use; it connects when first used.
type Index struct {
	name       string // of the collection
	prefix     string
	vector     string // name of the vector in it
	dimensions int
	timeout    time.Duration
	log        *slog.Logger
	dropped    func(reason string, rows int)

	conn        *grpc.ClientConn
	health      api.QdrantClient
	collections api.CollectionsClient
	points      api.PointsClient
	reading     *breaker
	writing     *breaker
	known       atomic.Pointer[string] // generation last seen; nil: ask
}

const (
	defaultTimeout = 250 * time.Millisecond
	defaultRetry   = 5 * time.Second
	writeTimeout   = 10 * time.Second // of one change or page
)

// Open returns the index. It touches nothing; a wrong URL or prefix is Invalid.
func Open(o Options) (*Index, error) {
	target, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	prefix := cmp.Or(o.Prefix, "rae")
	if !ValidPrefix(prefix) {
		return nil, fault.New(fault.Invalid, "the prefix of collections must be 1 to 64 lower-case letters, digits, dashes or underscores")
	}
	conn, err := target.connect(o.Key)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the address of Qdrant cannot be used")
	}
	x := &Index{
		name: prefix + "." + slug(o.Model), prefix: prefix, vector: slug(o.Model), dimensions: o.Dimensions,
		timeout: cmp.Or(o.Timeout, defaultTimeout), log: o.Log, dropped: o.Dropped,
		conn: conn, health: api.NewQdrantClient(conn), collections: api.NewCollectionsClient(conn), points: api.NewPointsClient(conn),
	}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	if x.dropped == nil {
		x.dropped = func(string, int) {}
	}
	if o.Key != "" && !target.TLS {
		x.log.Warn("the API key of Qdrant travels unencrypted; use grpcs:// where the network is not your own")
	}
	retry := cmp.Or(o.RetryAfter, defaultRetry)
	x.reading, x.writing = newBreaker("search", retry, x.log), newBreaker("projection", retry, x.log)
	return x, nil
}

// ValidPrefix reports whether names of collections may begin so.
func ValidPrefix(prefix string) bool {
	return regexp.MustCompile(`^[a-z0-9_-]{1,64}$`).MatchString(prefix)
}

// Collection is the name of the collection the vectors are in.
func (x *Index) Collection() string { return x.name }

// Ping reports whether Qdrant answers.
func (x *Index) Ping(ctx context.Context) error {
	_, err := x.health.HealthCheck(ctx, &api.HealthCheckRequest{})
	return away(err)
}

// Away reports whether searches leave Qdrant alone because it has failed.
func (x *Index) Away() bool { return x.reading.open() }

// Close ends the connection.
func (x *Index) Close() error { return x.conn.Close() }

// slug names a model where only some characters may stand: readable, and no two models alike.
func slug(model string) string {
	sum := sha256.Sum256([]byte(model))
	readable := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(model), "-")
	return strings.Trim(readable[:min(len(readable), 40)], "-") + "-" + hex.EncodeToString(sum[:4])
}

// away classifies what Qdrant answered. Whatever it was, trying again later may help: it depends on another process.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", errAway, err), "the vector index is not available")
}

// errAway marks an error that is Qdrant's, not the store's.
var errAway = errors.New("qdrant")

package postgres_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/postgres"
)

// plan is how the database answered one statement.
type plan struct {
	query string
	paths string // indexes it went by, tables it read without one, tables it wrote
	pages int    // read while it ran, from the cache or not
	again bool   // it went through a list once for each of several rows
}

// explainer collects the plans of every statement of a DB that touches a table, as they were executed: auto_explain tells
// them.
type explainer struct {
	mu    sync.Mutex
	plans []plan
	err   error
}

// explained opens the database at the URL, a superuser's, so that every plan is told, on one connection.
func explained(t *testing.T, url string) (*postgres.DB, *explainer) {
	t.Helper()
	x := &explainer{}
	db := openAt(t, url, postgres.Options{Connections: 1})
	err := db.OpenWith(t.Context(), func(config *pgxpool.Config) {
		for name, value := range map[string]string{
			"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on",
			"auto_explain.log_buffers": "on", "auto_explain.log_timing": "off", "auto_explain.log_format": "json", "auto_explain.log_level": "notice",
		} {
			config.ConnConfig.RuntimeParams[name] = value
		}
		config.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { x.hear(n.Message) }
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, x
}

func (x *explainer) hear(message string) {
	_, told, ok := strings.Cut(message, "plan:\n")
	if !ok {
		return
	}
	var statement struct {
		Query string `json:"Query Text"`
		Plan  node   `json:"Plan"`
	}
	err := json.Unmarshal([]byte(told), &statement)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.err = fmt.Errorf("%w in %s", err, told)
	}
	// What touches no table sets something, or is a function the planner has asked for its value, which it does when it likes.
	if paths := statement.Plan.paths(); paths != "" {
		x.plans = append(x.plans, plan{statement.Query, paths, statement.Plan.Hit + statement.Plan.Read, statement.Plan.again()})
	}
}

// take returns the plans since it was last called.
func (x *explainer) take(t *testing.T) []plan {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		t.Fatal(x.err)
	}
	taken := x.plans
	x.plans = nil
	return taken
}

// node is one of a plan, as EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) tells it. What it read has what its children read.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Hit      int    `json:"Shared Hit Blocks"`
	Read     int    `json:"Shared Read Blocks"`
	Loops    int    `json:"Actual Loops"`
	Plans    []node `json:"Plans"`
}

// again reports whether a list given as a parameter is gone through more than once.
func (n node) again() bool {
	return n.Type == "Function Scan" && n.Loops > 1 || slices.ContainsFunc(n.Plans, node.again)
}

// paths names the indexes that the plan goes by, tables that it reads without one and tables that it writes, each once. How it joins what it
// has read, and whether it sorts a page's rows first, is the planner's to weigh.
func (n node) paths() string {
	found := map[string]bool{}
	var visit func(node)
	visit = func(n node) {
		switch {
		case n.Index != "":
			found[n.Index] = true
		case n.Type == "ModifyTable":
			found["into "+n.Relation] = true
		case n.Type == "Seq Scan":
			found["all of "+n.Relation] = true
		}
		for _, child := range n.Plans {
			visit(child)
		}
	}
	visit(n)
	return strings.Join(slices.Sorted(maps.Keys(found)), ", ")
}

package postgres_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// A kill ends processes with SIGKILL, wherever they are.
type kill string

const (
	engine   kill = "the engine"
	database kill = "the database"
	both     kill = "both"
)

func TestNoAcknowledgedWriteIsLostWhenEngineOrDatabaseAreKilled(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	for round := range 30 {
		h.killed(t, []kill{engine, engine, database, both}[rand.IntN(4)]) // a database takes longer to come back
		if round%10 == 9 {
			h.checkAcknowledged(t)
			h.checkWhole(t)
		}
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	puts := len(h.acknowledged)
	if puts < 200 {
		t.Errorf("only %d memories were acknowledged in all: the test proves little", puts)
	}
	t.Logf("30 kills; %d memories were acknowledged, and all are there", puts)
}

// A database that confirms before it has written proves that the harness sees a loss.
func TestTheHarnessSeesWhatADatabaseForgets(t *testing.T) {
	t.Parallel()
	h := newHarness(t, map[string]string{"synchronous_commit": "off"})
	for round := range 10 {
		h.killed(t, database)
		if lost := h.lost(t); len(lost) > 0 {
			t.Logf("round %d: %d of %d acknowledged memories are not as acknowledged", round, len(lost), len(h.acknowledged))
			return
		}
	}
	t.Errorf("10 kills of a database with synchronous_commit=off lost none of %d memories: what the harness finds whole means nothing", len(h.acknowledged))
}

// harness is a server of its own and a child process that writes to it.
type harness struct {
	server       *servicetest.PostgresServer
	url          string
	child        *child // nil when none runs
	acknowledged map[memory.ID]string
}

func newHarness(t *testing.T, settings map[string]string) *harness {
	t.Helper()
	server := servicetest.OwnPostgres(t, settings)
	h := &harness{server: server, url: migrated(t, server), acknowledged: map[memory.ID]string{}}
	t.Cleanup(func() {
		if h.child != nil {
			h.child.kill(t)
		}
	})
	return h
}

// killed lets the child write for a moment, kills, and has the database running again.
func (h *harness) killed(t *testing.T, what kill) {
	t.Helper()
	if h.child == nil {
		h.child = startChild(t, h.url, h.acknowledged)
	}
	h.child.awaitWord(t) // it writes again since the last kill
	<-time.After(time.Duration(10+rand.IntN(120)) * time.Millisecond)
	if what == database || what == both {
		if err := h.server.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if what == engine || what == both {
		h.child.kill(t)
		h.child = nil
	}
	if what == database || what == both {
		if err := h.server.Start(); err != nil {
			t.Fatal(err)
		}
	}
}

// pause ends the child, so that nothing changes any more.
func (h *harness) pause(t *testing.T) {
	t.Helper()
	if h.child != nil {
		h.child.kill(t)
		h.child = nil
	}
}

// lost returns the memories that are not what was last acknowledged of them.
func (h *harness) lost(t *testing.T) map[memory.ID]string {
	t.Helper()
	h.pause(t)
	versions := h.versions(t)
	lost := map[memory.ID]string{}
	for id, last := range h.acknowledged {
		version, there := versions[id]
		switch {
		case last == "put" && !there, last == "changed" && version != 2, last == "gone" && there:
			lost[id] = last
		}
	}
	return lost
}

func (h *harness) checkAcknowledged(t *testing.T) {
	t.Helper()
	for id, last := range h.lost(t) {
		t.Errorf("memory %s was acknowledged as %s, and is not", id, last)
	}
}

// versions reads which version every memory has, past all that the store does to find them.
func (h *harness) versions(t *testing.T) map[memory.ID]int {
	t.Helper()
	conn := connect(t, h.url)
	rows, err := conn.Query(t.Context(), `SELECT id::text, version FROM memories`)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[memory.ID]int{}
	var id memory.ID
	var version int
	if _, err := pgx.ForEachRow(rows, []any{&id, &version}, func() error { versions[id] = version; return nil }); err != nil {
		t.Fatal(err)
	}
	return versions
}

// checkWhole fails when anything is there by half.
func (h *harness) checkWhole(t *testing.T) {
	t.Helper()
	h.pause(t)
	checkWhole(t, h.url)
}

// wholeness counts what a write did by half. Only writes of childWrite are expected, and no relay.
var wholeness = map[string]string{
	"memories whose past is not complete": `SELECT count(*) FROM memories m WHERE m.version - 1 <> (SELECT count(*)
		FROM memory_versions v WHERE v.tenant = m.tenant AND v.project = m.project AND v.memory_id = m.id)`,
	"versions without their memory": `SELECT count(*) FROM memory_versions v WHERE NOT EXISTS (SELECT 1 FROM memories m
		WHERE m.tenant = v.tenant AND m.project = v.project AND m.id = v.memory_id)`,
	"memories without the events of all their versions": `SELECT count(*) FROM memories m WHERE m.version <> (SELECT count(*)
		FROM outbox o WHERE o.tenant = m.tenant AND o.project = m.project AND o.subject = m.id::text)`,
	"events of nobody": `SELECT count(*) FROM outbox o WHERE o.subject <> ''
		AND NOT EXISTS (SELECT 1 FROM memories m WHERE m.tenant = o.tenant AND m.project = o.project AND m.id::text = o.subject)
		AND NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.tenant = o.tenant AND d.project = o.project AND d.memory_id::text = o.subject)`,
	"ready memories without a vector": `SELECT count(*) FROM memories m WHERE (m.embedding = 'ready') <> EXISTS (SELECT 1
		FROM memory_vectors v WHERE v.tenant = m.tenant AND v.project = m.project AND v.memory_id = m.id)`,
	"vectors of nobody": `SELECT count(*) FROM memory_vectors v WHERE NOT EXISTS (SELECT 1 FROM memories m
		WHERE m.tenant = v.tenant AND m.project = v.project AND m.id = v.memory_id)`,
	"deletions without news": `SELECT count(*) FROM outbox o WHERE o.type = 'memory.deleted' AND NOT EXISTS (SELECT 1
		FROM tombstones t WHERE t.tenant = o.tenant AND t.project = o.project AND t.memory_id::text = o.subject)`,
	"deletions without events": `SELECT count(*) FROM tombstones t WHERE NOT EXISTS (SELECT 1 FROM outbox o
		WHERE t.tenant = o.tenant AND t.project = o.project AND t.memory_id::text = o.subject AND o.type = 'memory.deleted')`,
	"scopes that miscount": `SELECT count(*) FROM scopes s WHERE s.documents <> (SELECT count(*) FROM memories m
		WHERE m.tenant = s.tenant AND m.project = s.project)`,
	"feeds that do not end at their head": `SELECT count(*) FROM scopes s WHERE s.head <> (SELECT max(seq) FROM
		(SELECT tenant, project, seq FROM memories UNION ALL SELECT tenant, project, seq FROM memory_versions
		UNION ALL SELECT tenant, project, seq FROM tombstones) c WHERE c.tenant = s.tenant AND c.project = s.project)`,
}

func checkWhole(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	for what, query := range wholeness {
		var count int
		if err := conn.QueryRow(t.Context(), query).Scan(&count); err != nil || count != 0 {
			t.Errorf("%s: %d, %v", what, count, err)
		}
	}
}

// connect returns a superuser's connection, which sees all rows.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // the server may be gone
	})
	return conn
}

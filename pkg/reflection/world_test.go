package reflection_test

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

//go:embed testdata/conversation.jsonl
var conversation []byte

var acme = memory.Scope{Tenant: "acme", Project: "shop"}

// world is an engine in memory with a clock that stands still until told.
type world struct {
	service *reflection.Service
	db      *inmem.DB
	store   *inmem.Reflections
	mu      sync.Mutex
	now     time.Time
}

func newWorld() *world {
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.db = inmem.New(inmem.Options{Clock: w.clock})
	w.store = inmem.NewReflections(w.db)
	w.service = w.reading(w.db)
	return w
}

// reading is a service of the world that reads through reader.
func (w *world) reading(reader reflection.Reader) *reflection.Service {
	return &reflection.Service{Memories: reader, Writer: w.db, Keeper: w.db, Store: w.store, Clock: w.clock}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// put stores memories as somebody told them and returns them as they stand.
func (w *world) put(t testing.TB, scope memory.Scope, memories ...memory.Memory) []memory.Memory {
	t.Helper()
	var stand []memory.Memory
	err := w.db.Write(t.Context(), scope, func(tx memory.Tx) error {
		stand = stand[:0]
		for _, m := range memories {
			if m.Layer == "" {
				m.Layer = memory.Episodic
			}
			m.TenantID, m.ProjectID = scope.Tenant, scope.Project
			put, _, err := tx.Put(t.Context(), m, memory.Why{})
			if err != nil {
				return err
			}
			stand = append(stand, put)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return stand
}

// said is a memory of the text and nothing else.
func said(texts ...string) []memory.Memory {
	var all []memory.Memory
	for _, text := range texts {
		all = append(all, memory.Memory{Content: text, Importance: 0.5})
	}
	return all
}

// turns is the conversation in testdata.
func turns(t testing.TB) []memory.Memory {
	t.Helper()
	var all []memory.Memory
	lines := bufio.NewScanner(bytes.NewReader(conversation))
	for lines.Scan() {
		var turn struct {
			At      time.Time
			Name    string
			Content string
		}
		if err := json.Unmarshal(lines.Bytes(), &turn); err != nil {
			t.Fatal(err)
		}
		all = append(all, memory.Memory{
			Content: turn.Content, SessionID: turn.At.Format(time.DateOnly), OccurredAt: &turn.At, Importance: 0.5,
			Metadata: memory.Metadata{"name": turn.Name},
		})
	}
	return all
}

// run starts a reflection and runs it to its end.
func (w *world) run(t testing.TB, scope memory.Scope, request reflection.Request) reflection.Reflection {
	t.Helper()
	started, err := w.service.Start(t.Context(), scope, request, memory.Key{})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	r, err := w.service.Run(t.Context(), scope, started.ID)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return r
}

// tell empties the outbox and returns its records.
func (w *world) tell(t testing.TB) []outbox.Record {
	t.Helper()
	var all []outbox.Record
	for {
		records, err := w.db.Claim(t.Context(), 100, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return all
		}
		var ids []string
		for _, r := range records {
			ids = append(ids, r.ID)
		}
		if err := w.db.Done(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		all = append(all, records...)
	}
}

// keep gives every memory.derived to the real thing the store function keeps them with, and returns those that were new.
func (w *world) keep(t testing.TB) (kept []memory.Memory) {
	t.Helper()
	store := &ingest.Service{Store: w.db, Clock: w.clock}
	for _, r := range w.tell(t) {
		if r.Type != outbox.MemoryDerived {
			continue
		}
		var data struct {
			Memory       memory.Memory `json:"memory"`
			ReflectionID memory.ID     `json:"reflection_id"`
		}
		if err := json.Unmarshal(r.Data, &data); err != nil || data.ReflectionID == "" {
			t.Fatalf("memory.derived %s: %v", r.Data, err)
		}
		stored, _, err := store.Derive(t.Context(), memory.Scope{Tenant: r.Tenant, Project: r.Project}, ingest.Derivation{
			Event: ingest.Event{Source: "/rae/reflect", ID: r.ID}, Memory: data.Memory, Reason: "reflection " + string(data.ReflectionID),
		})
		if err != nil {
			t.Fatalf("keep %s: %v", data.Memory.ID, err)
		}
		if stored.Memory.ID != data.Memory.ID {
			t.Errorf("%s was kept as %s", data.Memory.ID, stored.Memory.ID)
		}
		if stored.Outcome == memory.Created {
			kept = append(kept, stored.Memory)
		}
	}
	return kept
}

// grounded fails the test unless every citation of m points, in m's scope, at bytes that stand in m as they are, and
// nothing stands between quotation marks that no citation covers.
func (w *world) grounded(t testing.TB, m memory.Memory) {
	t.Helper()
	if len(m.DerivedFrom) == 0 {
		t.Errorf("%s cites nothing", m.ID)
	}
	rest := m.Content
	for _, c := range m.DerivedFrom {
		source, err := w.db.Get(t.Context(), m.Scope(), c.MemoryID, memory.View{})
		if err != nil {
			t.Errorf("%s cites %s: %v", m.ID, c.MemoryID, err)
			continue
		}
		if c.Start < 0 || c.End > len(source.Content) || c.Start >= c.End {
			t.Errorf("%s cites %d:%d of %d bytes", m.ID, c.Start, c.End, len(source.Content))
			continue
		}
		quoted := source.Content[c.Start:c.End]
		if !strings.Contains(m.Content, "\""+quoted+"\"") {
			t.Errorf("%q does not stand in %q", quoted, m.Content)
		}
		if source.UserID != m.UserID || source.AgentID != m.AgentID {
			t.Errorf("%s of %q/%q cites what %q/%q told", m.ID, m.UserID, m.AgentID, source.UserID, source.AgentID)
		}
		rest = strings.ReplaceAll(rest, "\""+quoted+"\"", "")
	}
	if strings.Contains(rest, "\"") {
		t.Errorf("something is quoted that nobody said: %q", rest)
	}
}

// ids of memories, sorted.
func ids(memories []memory.Memory) []memory.ID {
	all := []memory.ID{}
	for _, m := range memories {
		all = append(all, m.ID)
	}
	slices.Sort(all)
	return all
}

// ending ends a context as soon as a list is read: a deadline that passes in the middle of the work.
type ending struct {
	reflection.Reader
	end func()
}

func (e ending) List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error) {
	e.end()
	page, err := e.Reader.List(context.WithoutCancel(ctx), scope, q)
	return page, err
}

// failing is a reader whose every list fails.
type failing struct {
	reflection.Reader
	err error
}

func (f failing) List(context.Context, memory.Scope, memory.Query) (memory.Page, error) {
	return memory.Page{}, f.err
}

package eventing_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var (
	scope = memory.Scope{Tenant: "acme", Project: "support"}
	noon  = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// equal fails the test unless two values are the same all over.
func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %#v\nwant %#v", what, got, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// exampleRecord is an outbox record of a type, with the data of its example.
func exampleRecord(t *testing.T, entry eventing.Entry) outbox.Record {
	t.Helper()
	r := outbox.Record{
		ID: "01939a4c-7b1e-7c44-9d53-0f5a6a3e9b10", Type: entry.Record, Time: noon,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Data:        must[[]byte](t)(eventing.Example(entry.Type)),
	}
	var said memory.Scope
	if err := json.Unmarshal(r.Data, &said); err != nil {
		t.Fatal(err)
	}
	r.Tenant, r.Project = said.Tenant, said.Project
	if entry.Scope == eventing.Scoped {
		r.Tenant, r.Project, r.Subject = scope.Tenant, scope.Project, "subject-1"
	}
	return r
}

// stored is the record of a new memory, as a store announces it.
func stored(id memory.ID) outbox.Record {
	m := memory.Memory{
		ID: id, TenantID: scope.Tenant, ProjectID: scope.Project, Layer: memory.Episodic, Version: 1,
		Embedding: memory.EmbeddingReady, Content: "a secret",
	}
	r := m.Announce(outbox.MemoryStored)
	r.ID, r.Time = string(memory.NewID()), noon
	return r
}

func TestEveryTypeHasASchemaAndAnExampleThatFitsIt(t *testing.T) {
	t.Parallel()
	for _, entry := range eventing.Catalogue() {
		t.Run(entry.Type, func(t *testing.T) {
			t.Parallel()
			compiler := jsonschema.NewCompiler()
			compiler.AssertFormat()
			doc := must[any](t)(jsonschema.UnmarshalJSON(bytes.NewReader(must[[]byte](t)(eventing.Schema(entry.Type)))))
			if err := compiler.AddResource(entry.SchemaURI(), doc); err != nil {
				t.Fatal(err)
			}
			schema := must[*jsonschema.Schema](t)(compiler.Compile(entry.SchemaURI()))
			equal(t, "$id", schema.ID, entry.SchemaURI())
			equal(t, "draft", schema.DraftVersion, 2020)
			example := must[any](t)(jsonschema.UnmarshalJSON(bytes.NewReader(must[[]byte](t)(eventing.Example(entry.Type)))))
			if err := schema.Validate(example); err != nil {
				t.Error(err)
			}
		})
	}
}

// typed decodes data into T and encodes it again.
func typed[T any](b []byte) ([]byte, error) {
	data, err := eventing.Data[T](eventing.Event{Data: b})
	if err != nil {
		return nil, err
	}
	return json.Marshal(data)
}

func TestExamplesSurviveTheirTypes(t *testing.T) {
	t.Parallel()
	through := map[string]func([]byte) ([]byte, error){
		eventing.MemoryStored:      typed[memory.Announcement],
		eventing.MemoryUpdated:     typed[memory.Announcement],
		eventing.MemoryDeleted:     typed[memory.Announcement],
		eventing.MemoryDerived:     typed[eventing.Derivation],
		eventing.MemoryEmbedded:    typed[eventing.Embedding],
		eventing.BlockUpdated:      typed[block.Announcement],
		eventing.ReflectionCreated: typed[eventing.Reflected],
		eventing.BudgetWarning:     typed[eventing.BudgetAlert],
		eventing.BudgetExceeded:    typed[eventing.BudgetAlert],
		eventing.BudgetChanged:     typed[eventing.BudgetChange],
		eventing.DrainDue:          typed[eventing.Tick],
		eventing.MaintenanceDue:    typed[eventing.Tick],
		eventing.ReflectionDue:     typed[eventing.Tick],
		eventing.JobDue:            typed[eventing.JobCall],
		eventing.TenantErased:      typed[memory.Erasure],
	}
	for _, entry := range eventing.Catalogue() {
		example := must[[]byte](t)(eventing.Example(entry.Type))
		encoded := must[[]byte](t)(through[entry.Type](example))
		var want, got any
		if err := json.Unmarshal(example, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		equal(t, entry.Type, got, want)
	}
}

func TestTheCatalogueIsWhole(t *testing.T) {
	t.Parallel()
	functions := []string{"store", "search", "embed", "rerank", "reflect", "budget"}
	records := map[string]bool{}
	for _, entry := range eventing.Catalogue() {
		equal(t, "type of "+entry.Record, entry.Type, "dev.rae."+entry.Record+".v1")
		if len(entry.Publishers) == 0 {
			t.Errorf("nobody publishes %s", entry.Type)
		}
		for _, name := range append(entry.Publishers, entry.Subscribers...) {
			if name != "clock" && !slices.Contains(functions, name) {
				t.Errorf("%s is no function", name)
			}
		}
		records[entry.Record] = true
	}
	for _, kind := range []string{
		outbox.MemoryStored, outbox.MemoryUpdated, outbox.MemoryDeleted, outbox.MemoryDerived, outbox.MemoryEmbedded,
		outbox.BlockUpdated, outbox.ReflectionCreated, outbox.ReflectionDue, outbox.JobDue, outbox.BudgetWarning, outbox.BudgetExceeded, outbox.BudgetChanged, outbox.TenantErased,
	} {
		if !records[kind] {
			t.Errorf("an outbox record of type %s would be no event", kind)
		}
	}
	equal(t, "what store takes", eventing.Subscribed("store"),
		[]string{eventing.BudgetChanged, eventing.DrainDue, eventing.JobDue, eventing.MemoryDerived, eventing.MemoryEmbedded})
}

func TestTheCatalogueCannotBeChangedFromOutside(t *testing.T) {
	t.Parallel()
	eventing.Catalogue()[0].Subscribers[0] = "nobody"
	equal(t, "first subscriber", eventing.Catalogue()[0].Subscribers[0], "search")
}

func TestConstructorsMakeRecordsThatAreEvents(t *testing.T) {
	t.Parallel()
	vector := eventing.Embedding{MemoryID: memory.NewID(), Scope: scope, Version: 3, Model: "m", Vector: []float32{1, -0.5}}
	for _, tc := range []struct {
		name   string
		record func() (outbox.Record, error)
		want   outbox.Record // without id
	}{
		{"embedded", func() (outbox.Record, error) { return eventing.Embedded(vector, noon) }, outbox.Record{
			Type: outbox.MemoryEmbedded, Tenant: "acme", Project: "support", Subject: string(vector.MemoryID), Time: noon,
			Data: []byte(`{"memory_id":"` + string(vector.MemoryID) + `","tenant_id":"acme","project_id":"support","version":3,"model":"m","vector":[1,-0.5]}`),
		}},
		{"drain for everybody", func() (outbox.Record, error) {
			return eventing.Due(eventing.DrainDue, eventing.Tick{}, noon)
		}, outbox.Record{Type: "drain.due", Time: noon, Data: []byte(`{}`)}},
		{"maintenance of a tenant", func() (outbox.Record, error) {
			return eventing.Due(eventing.MaintenanceDue, eventing.Tick{Tenant: "acme"}, noon)
		}, outbox.Record{Type: "maintenance.due", Tenant: "acme", Time: noon, Data: []byte(`{"tenant_id":"acme"}`)}},
		{"reflection in a project", func() (outbox.Record, error) {
			return eventing.Due(eventing.ReflectionDue, eventing.Tick{Tenant: "acme", Project: "support"}, noon.Local())
		}, outbox.Record{
			Type: outbox.ReflectionDue, Tenant: "acme", Project: "support", Time: noon,
			Data: []byte(`{"tenant_id":"acme","project_id":"support"}`),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := must[outbox.Record](t)(tc.record())
			if _, ok := memory.ParseID(got.ID); !ok {
				t.Errorf("id %q is no UUID", got.ID)
			}
			tc.want.ID = got.ID
			equal(t, "record", got, tc.want)
			if _, err := eventing.FromRecord(got, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConstructorsRefuseWhatNoEventMayBe(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func() (outbox.Record, error){
		"a vector of nothing": func() (outbox.Record, error) {
			return eventing.Embedded(eventing.Embedding{MemoryID: memory.NewID(), Scope: scope, Version: 1, Model: "m"}, noon)
		},
		"a project without a tenant": func() (outbox.Record, error) {
			return eventing.Due(eventing.DrainDue, eventing.Tick{Project: "support"}, noon)
		},
		"a clock event that is none": func() (outbox.Record, error) {
			return eventing.Due(eventing.MemoryStored, eventing.Tick{}, noon)
		},
	} {
		if _, err := make(); fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordsAreEventsAndComeBack(t *testing.T) {
	t.Parallel()
	for _, entry := range eventing.Catalogue() {
		t.Run(entry.Type, func(t *testing.T) {
			t.Parallel()
			want := exampleRecord(t, entry)
			e, err := eventing.FromRecord(want, "")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "id", e.ID(), want.ID)
			equal(t, "source", e.Source(), "/rae/"+entry.Publishers[0])
			equal(t, "type", e.Type(), entry.Type)
			equal(t, "dataschema", e.DataSchema(), "urn:rae:event:"+entry.Type)
			equal(t, "datacontenttype", e.DataContentType(), "application/json")
			equal(t, "time", e.Time(), noon)
			got := must[outbox.Record](t)(eventing.ToRecord(e))
			want.Data, got.Data = bytes.TrimSpace(want.Data), bytes.TrimSpace(got.Data)
			equal(t, "record", got, want)
		})
	}
}

func TestWhatStoresAnnounceIsAnEventWithoutContent(t *testing.T) {
	t.Parallel()
	m := memory.Memory{
		ID: memory.NewID(), TenantID: "acme", ProjectID: "support", Layer: memory.Working, Version: 4,
		Embedding: memory.EmbeddingPending, SessionID: "s", Content: "a secret",
	}
	for _, kind := range []string{outbox.MemoryStored, outbox.MemoryUpdated, outbox.MemoryDeleted} {
		r := m.Announce(kind)
		r.ID = string(memory.NewID())
		e, err := eventing.FromRecord(r, "")
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if strings.Contains(string(e.Data()), "secret") {
			t.Errorf("%s tells content", kind)
		}
	}
	gone := memory.Memory{ID: m.ID, TenantID: "acme", ProjectID: "support"}
	r := gone.Announce(outbox.MemoryDeleted)
	r.ID = string(memory.NewID())
	if _, err := eventing.FromRecord(r, ""); err != nil {
		t.Errorf("a deletion of which only the id is known: %v", err)
	}
}

func TestATraceContextThatIsNoneIsLeftOut(t *testing.T) {
	t.Parallel()
	r := stored(memory.NewID())
	r.TraceParent = "somewhere"
	e, err := eventing.FromRecord(r, "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "extensions", e.Extensions(), map[string]any{"tenantid": "acme", "projectid": "support"})
}

func TestWhatTheLedgerAnnouncesIsAnEvent(t *testing.T) {
	t.Parallel()
	db := inmem.New(inmem.Options{})
	ledger := inmem.NewLedger(db, budget.Policy{})
	limit, cost := 10*budget.USD, 9*budget.USD
	must[budget.Status](t)(ledger.PutLimits(t.Context(), scope, budget.Limits{Daily: &limit}))
	held := must[budget.Reservation](t)(ledger.Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost}))
	must[budget.Reservation](t)(ledger.Settle(t.Context(), scope, held.ID, budget.Settle{TokensIn: 1, Cost: &cost}))
	if _, err := ledger.Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost}); fault.KindOf(err) != fault.OverBudget {
		t.Fatalf("a second call was not refused: %v", err)
	}
	var kinds []string
	for {
		records := must[[]outbox.Record](t)(db.Claim(t.Context(), 1, time.Minute))
		if len(records) == 0 {
			break
		}
		r := records[0]
		e, err := eventing.FromRecord(r, "")
		if err != nil {
			t.Fatalf("%s %s: %v", r.Type, r.Data, err)
		}
		kinds = append(kinds, e.Type())
		if err := db.Done(t.Context(), []string{r.ID}); err != nil {
			t.Fatal(err)
		}
		if r.Type == outbox.BudgetChanged {
			equal(t, r.Type, must[eventing.BudgetChange](t)(eventing.Data[eventing.BudgetChange](eventing.Event{Type: e.Type(), Data: e.Data()})).Scope, scope)
			continue
		}
		alert := must[eventing.BudgetAlert](t)(eventing.Data[eventing.BudgetAlert](eventing.Event{Type: e.Type(), Data: e.Data()}))
		equal(t, r.Type, alert.Limit+" "+alert.Usage, "10 9")
	}
	equal(t, "events", kinds, []string{eventing.BudgetChanged, eventing.BudgetWarning, eventing.BudgetExceeded})
}

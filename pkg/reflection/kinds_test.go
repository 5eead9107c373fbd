package reflection_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

func TestNearDuplicatesAreConsolidatedAndOppositesAreNot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		texts []string
		want  int // memories
	}{
		{"the same in another case and with other marks", []string{"The invoice server runs in Warsaw.", "The Invoice server runs in Warsaw!"}, 1},
		{"three of one and two of another", []string{
			"Backups of the orders database start at midnight every day.", "Backups of the orders database start at midnight, every day",
			"Deploys happen on Tuesdays after the stand-up meeting.", "backups of the orders database start at midnight every day!",
			"Deploys happen on Tuesdays after the stand-up meeting!"}, 2},
		{"a negation", []string{"Deploys on Friday are allowed by the release team now.", "Deploys on Friday are not allowed by the release team now."}, 0},
		{"a contracted negation", []string{
			"The release team does allow big deploys on Friday in the old data center of the company, as everybody knows by now.",
			"The release team doesn't allow big deploys on Friday in the old data center of the company, as everybody knows by now."}, 0},
		{"another number", []string{"The disk of the build server holds 100 gigabytes of caches.", "The disk of the build server holds 200 gigabytes of caches."}, 0},
		{"other words", []string{"The invoice server runs in Warsaw.", "The search server runs in Gdansk."}, 0},
		{"too short to matter", []string{"Thanks, bye!", "Thanks, bye."}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.put(t, acme, said(tt.texts...)...)
			r := w.run(t, acme, reflection.Request{Kind: reflection.Consolidate})
			kept := w.keep(t)
			if r.Status != reflection.Succeeded || len(kept) != tt.want {
				t.Fatalf("%s with %d memories: %+v", r.Status, len(kept), kept)
			}
			for _, m := range kept {
				w.grounded(t, m)
				if m.Layer != memory.Reflective || m.Tags[0] != "consolidated" {
					t.Errorf("memory %+v", m)
				}
			}
			if again := w.run(t, acme, reflection.Request{Kind: reflection.Consolidate}); !reflect.DeepEqual(again.MemoryIDs, r.MemoryIDs) || len(w.keep(t)) != 0 {
				t.Errorf("again: %v, before: %v", again.MemoryIDs, r.MemoryIDs)
			}
		})
	}
}

func TestRecurringEntitiesAreExtractedWithWhatIsSaidOfThem(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	w.put(t, acme, said(
		"Yesterday Maria van Dyk sent the contract.", "The contract of Maria van Dyk ends in June.", "We should ask Maria van Dyk about the annex.",
		"Big Changes come.", "Big Changes went.", "Big Changes stay.", // at the beginning of sentences: no name
		"Write to ops@example.org.", "The alias ops@example.org bounces.", "Who reads ops@example.org?",
		"It weighed 12 kg.", "All of the 12 kg were sold.", "Another 12 kg came.",
		"The audit is on 2026-05-04.", "After 2026-05-04 nobody can edit.", "By 2026-05-04 all must be signed.",
		"Only Jan Nowak knows.", "Ask Jan Nowak.", // twice is not often enough
	)...)
	r := w.run(t, acme, reflection.Request{Kind: reflection.Extract})
	got := map[string]string{}
	for _, m := range w.keep(t) {
		w.grounded(t, m)
		if m.Layer != memory.Semantic || m.Tags[0] != "extracted" || len(m.Entities) != 1 {
			t.Errorf("memory %+v", m)
			continue
		}
		got[m.Entities[0].Name] = m.Entities[0].Type
	}
	want := map[string]string{
		"Anna Kowalska": "name", "Maria van Dyk": "name", "ops@example.org": "email", "12 kg": "quantity",
		"2026-05-04": "date", "https://wiki.example.org/pools": "url",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if again := w.run(t, acme, reflection.Request{Kind: reflection.Extract}); !reflect.DeepEqual(again.MemoryIDs, r.MemoryIDs) || len(w.keep(t)) != 0 {
		t.Errorf("again: %v, before: %v", again.MemoryIDs, r.MemoryIDs)
	}
}

func TestImportanceFadesByLayerAndStopsAtTheFloor(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name  string
		layer memory.Layer
		from  float64
		after time.Duration
		want  float64
	}{
		{"within its first half-life nothing fades", memory.Episodic, 0.9, 14 * day, 0.9},
		{"after another one half of what is above the floor has gone", memory.Episodic, 0.85, 28 * day, 0.45},
		{"less than a step is not written", memory.Episodic, 0.9, 15 * day, 0.9},
		{"it never falls below the floor", memory.Sensory, 0.9, 365 * day, 0.05},
		{"what lies below the floor stays", memory.Sensory, 0.03, 365 * day, 0.03},
		{"semantic fades slowly", memory.Semantic, 0.85, 140 * day, 0.45},
		{"what is not read anyway is not touched", memory.Reflective, 0.9, 365 * day, 0.9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			m := w.put(t, acme, memory.Memory{Content: "x", Layer: tt.layer, Importance: tt.from})[0]
			w.pass(tt.after)
			for range 2 { // the second time changes nothing
				r := w.run(t, acme, reflection.Request{Kind: reflection.Decay})
				if r.Status != reflection.Succeeded {
					t.Fatalf("ended as %+v", r)
				}
				got, err := w.db.Get(t.Context(), acme, m.ID, memory.View{})
				if err != nil || got.Importance != tt.want {
					t.Errorf("importance %v, %v; want %v", got.Importance, err, tt.want)
				}
			}
			history, err := w.db.History(t.Context(), acme, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == tt.from && len(history) != 1 || tt.want != tt.from && (len(history) != 2 || history[0].Reason != "decay") {
				t.Errorf("history %+v", history)
			}
		})
	}
}

func TestDecayingOftenFadesNoFasterThanDecayingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	m := w.put(t, acme, said("seldom needed")...)[0]
	for range 60 {
		w.pass(24 * time.Hour)
		w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	}
	got, err := w.db.Get(t.Context(), acme, m.ID, memory.View{})
	want := 0.05 + 0.45*0.1025 // 46 days beyond the first half-life of 14: 2^(-46/14)
	if err != nil || got.Importance > want+0.06 || got.Importance < want-0.01 || got.Version > 9 {
		t.Errorf("importance %v in version %d, %v; want about %v", got.Importance, got.Version, err, want)
	}
}

func TestTellingAMemoryAnewLetsItFadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld()
	m := w.put(t, acme, said("seldom needed")...)[0]
	w.pass(60 * 24 * time.Hour)
	w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	err := w.db.Write(t.Context(), acme, func(tx memory.Tx) error {
		standing, err := tx.Get(t.Context(), m.ID)
		if err != nil {
			return err
		}
		standing.Importance = 0.8
		_, err = tx.Replace(t.Context(), standing, memory.Why{Actor: "ines", Reason: "it matters"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(24 * time.Hour)
	w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	if got, err := w.db.Get(t.Context(), acme, m.ID, memory.View{}); err != nil || got.Importance != 0.8 {
		t.Errorf("importance %v, %v", got.Importance, err)
	}
}

// meddling tells a memory anew while decay is thinking about it.
type meddling struct {
	reflection.Keeper
	meddle func()
}

func (m meddling) History(ctx context.Context, scope memory.Scope, id memory.ID) ([]memory.Version, error) {
	versions, err := m.Keeper.History(ctx, scope, id)
	m.meddle()
	return versions, err
}

func TestDecayLeavesAloneWhatIsToldAnewMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld()
	m := w.put(t, acme, said("seldom needed")...)[0]
	w.pass(60 * 24 * time.Hour)
	w.service.Keeper = meddling{w.db, func() {
		err := w.db.Write(t.Context(), acme, func(tx memory.Tx) error {
			m.Importance = 0.8
			_, err := tx.Replace(t.Context(), m, memory.Why{Actor: "ines", Reason: "it matters"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}}
	r := w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	if got, err := w.db.Get(t.Context(), acme, m.ID, memory.View{}); err != nil || got.Importance != 0.8 || len(r.MemoryIDs) != 0 {
		t.Errorf("importance %v, %v; lowered %v", got.Importance, err, r.MemoryIDs)
	}
}

func TestDecayGoesThroughEverythingInSlices(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const n = 2_250 // more than one claim's worth
	var all []memory.Memory
	for i := range n {
		all = append(all, memory.Memory{Content: fmt.Sprint("memory ", i), Importance: 0.8})
	}
	w.put(t, acme, all...)
	w.pass(365 * 24 * time.Hour)
	started, err := w.service.Start(t.Context(), acme, reflection.Request{Kind: reflection.Decay}, memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	if worked, err := w.service.RunQueued(t.Context(), 1); err != nil || worked != 1 {
		t.Fatalf("worked on %d, %v", worked, err)
	}
	if half, err := w.service.Get(t.Context(), acme, started.ID); err != nil || half.Status != reflection.Queued || half.Cursor == "" {
		t.Fatalf("after a claim: %+v, %v", half, err)
	}
	if worked, err := w.service.RunQueued(t.Context(), 10); err != nil || worked != 1 {
		t.Fatalf("worked on %d, %v", worked, err)
	}
	r, err := w.service.Get(t.Context(), acme, started.ID)
	if err != nil || r.Status != reflection.Succeeded || len(r.MemoryIDs) != 1000 || !reflect.DeepEqual(r.Degraded, []string{"memory_ids"}) {
		t.Errorf("ended as %s with %d ids, %v, %v", r.Status, len(r.MemoryIDs), r.Degraded, err)
	}
	q := memory.Query{Filter: memory.Filter{MinImportance: 0.06}, Limit: 1}
	if page, err := w.db.List(t.Context(), acme, q); err != nil || len(page.Memories) != 0 {
		t.Errorf("left out: %+v, %v", page, err)
	}
}

func TestDecayWithoutAKeeperFailsAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.service.Keeper = nil
	if r := w.run(t, acme, reflection.Request{Kind: reflection.Decay}); r.Status != reflection.Failed || r.Error == "" || r.FinishedAt == nil {
		t.Errorf("ended as %+v", r)
	}
}

// Whatever was stored, every kind ends in a clear state, in bounded time, with nothing ungrounded.
func TestOddInputEndsClearly(t *testing.T) {
	t.Parallel()
	megabyte := strings.Repeat("The quick brown fox jumps over the lazy dog near the river bank. ", 16_000)
	blob := base64.StdEncoding.EncodeToString([]byte(megabyte[:30_000]))
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("Ticket %d: the %s of the %s reported a %s.", i,
			[]string{"customer", "driver", "clerk", "auditor", "nurse"}[i%5],
			[]string{"harbour", "bakery", "library", "clinic", "stadium", "museum", "castle"}[i%7],
			[]string{"leak", "delay", "fire", "strike", "flood", "theft", "noise"}[i%7]))
	}
	for _, tt := range []struct {
		name     string
		texts    []string
		insights bool // at least one is expected
		degraded []string
	}{
		{"nothing", nil, false, []string{}},
		{"one word", []string{"Hm"}, false, []string{}},
		{"one message of a megabyte", []string{megabyte}, false, []string{"long_content"}},
		{"three of a megabyte", []string{megabyte, megabyte + ".", megabyte + "!"}, false, []string{"long_content"}},
		{"ten thousand messages", many, true, []string{"window"}},
		{"base64", []string{blob, blob + "=", "data: " + blob, blob[10:], blob[20:]}, false, []string{"long_content"}},
		{"Polish", []string{
			"Serwer pocztowy w Krakowie padł po aktualizacji certyfikatu.", "Certyfikat serwera pocztowego wygasł, aktualizacja nie pomogła.",
			"Aktualizacja certyfikatu na serwer pocztowy musi iść w sobotę.", "Kto ma hasło do certyfikatu? Serwer pocztowy go nie przyjmuje."}, true, []string{}},
		{"Japanese", []string{"東京の天気は晴れです。明日の会議は東京で開きます。", "東京の会議は明日です。資料を準備します。", "明日の東京の会議の資料を送りました。"}, true, []string{}},
		{"Arabic", []string{"تعطل خادم البريد بعد تحديث الشهادة", "تحديث الشهادة على خادم البريد يوم السبت", "من لديه كلمة سر خادم البريد بعد تحديث الشهادة"}, true, []string{}},
		{"code", []string{"func main() { fmt.Println(\"x\") }", "func main() { fmt.Println(\"y\") }", "func main() { fmt.Println(\"z\") }"}, false, []string{}},
		{"control characters and broken quotes", []string{"a \"b \" c\x01\x02 \"", "\"\"\"", "\u202etxet sdrawkcab "}, false, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			for _, text := range tt.texts {
				w.pass(time.Second)
				at := w.clock()
				w.put(t, acme, memory.Memory{Content: text, Importance: 0.5, OccurredAt: &at})
			}
			w.tell(t)
			for _, kind := range []reflection.Kind{reflection.Insight, reflection.Consolidate, reflection.Extract} {
				began := time.Now()
				r := w.run(t, acme, reflection.Request{Kind: kind})
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%s took %s", kind, took)
				}
				if r.Status != reflection.Succeeded || !reflect.DeepEqual(r.Degraded, tt.degraded) {
					t.Errorf("%s ended as %s, degraded %v, error %q", kind, r.Status, r.Degraded, r.Error)
				}
				kept := w.keep(t)
				for _, m := range kept {
					w.grounded(t, m)
				}
				if kind == reflection.Insight && (len(kept) > 0) != tt.insights {
					t.Errorf("%d insights", len(kept))
				}
			}
		})
	}
}

func TestTheSameTextManyTimesIsConsolidatedAndNoInsight(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for range 50 {
		w.pass(time.Hour)
		at := w.clock()
		w.put(t, acme, memory.Memory{Content: "The nightly backup of the orders database has failed.", OccurredAt: &at, Importance: 0.5})
	}
	w.tell(t)
	if r := w.run(t, acme, reflection.Request{}); r.Status != reflection.Succeeded || len(r.MemoryIDs) != 0 {
		t.Errorf("insight: %+v", r)
	}
	w.run(t, acme, reflection.Request{Kind: reflection.Consolidate})
	kept := w.keep(t)
	if len(kept) != 1 || len(kept[0].DerivedFrom) != 50 || !strings.Contains(kept[0].Content, "50 memories, 2026-03-01 to 2026-03-03") {
		t.Errorf("kept %+v", kept)
	}
}

func TestRequestsThatCannotBeWorkedWithNameTheField(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for location, request := range map[string]reflection.Request{
		"body.kind":                   {Kind: "dream"},
		"body.until":                  {Since: &now, Until: &now},
		"body.filters.layers[1]":      {Filters: memory.Filter{Layers: []memory.Layer{memory.Episodic, memory.Reflective}}},
		"body.filters.layers[0]":      {Filters: memory.Filter{Layers: []memory.Layer{"dreams"}}},
		"body.filters.tags[0]":        {Filters: memory.Filter{Tags: []string{""}}},
		"body.filters.tags":           {Filters: memory.Filter{Tags: make([]string, 65)}},
		"body.filters.user_id":        {Filters: memory.Filter{UserID: strings.Repeat("u", 257)}},
		"body.filters.min_importance": {Filters: memory.Filter{MinImportance: 1.5}},
	} {
		w := newWorld()
		_, err := w.service.Start(t.Context(), acme, request, memory.Key{})
		if fields := fault.FieldsOf(err); fault.KindOf(err) != fault.Invalid || len(fields) != 1 || fields[0].Location != location {
			t.Errorf("%s: %v, fields %+v", location, err, fields)
		}
	}
}

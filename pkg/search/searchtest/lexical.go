package searchtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func lexicalClauses() []clause {
	return []clause{
		{"one word in common is enough", oneWordIsEnough},
		{"question words and stop words alone find nothing", stopWordsFindNothing},
		{"words match in any inflection, case and accent", inflections},
		{"scripts without spaces are found by their pairs", pairsOfCharacters},
		{"metadata values, tags, source and entities are searched", besidesContent},
		{"metadata that only repeats the content is no further evidence", repetitionIsNoEvidence},
		{"a rare word outweighs a common one", rareOutweighs},
		{"of two memories that say a word once, the shorter one stands first", shorterFirst},
		{"a word said again counts, and less each time", repetitionSaturates},
		{"a question of two thousand words is answered", longQuestion},
		{"questions in any script, code and traces find what they name, and nonsense finds nothing", unusualQuestions},
		{"new words find a changed memory and old ones do not", changedWords},
		{"words since replaced find what was known then", replacedWords},
		{"the fifty best of short memories are BM25's, with its scores", matchesOracle(4, 12)},
		{"the fifty best of long memories are BM25's, with its scores", matchesOracle(8, 90)},
	}
}

func oneWordIsEnough(t *testing.T, w *world) {
	w.say(t, "Caroline went to a support group", "Melanie painted a sunrise")
	same(t, "found", w.found(t, w.Lexical, search.Query{Text: "When did Caroline swim across the river?"}),
		[]string{"Caroline went to a support group"})
}

func stopWordsFindNothing(t *testing.T, w *world) {
	w.say(t, "what is this when", "who are you")
	for _, question := range []string{"What is this? Who are you?", "", " \n", "?!…", "the"} {
		same(t, fmt.Sprintf("found by %q", question), w.found(t, w.Lexical, search.Query{Text: question}), nil)
	}
}

func inflections(t *testing.T, w *world) {
	w.say(t, "The kids were painting pottery at the café")
	for _, question := range []string{"paints", "KIDS", "painted", "cafe", "Kid's"} {
		if got := w.found(t, w.Lexical, search.Query{Text: question}); len(got) != 1 {
			t.Errorf("%q found %q", question, got)
		}
	}
}

func pairsOfCharacters(t *testing.T, w *world) {
	w.say(t, "我昨天去了支持小组", "今天天气很好")
	same(t, "found", w.found(t, w.Lexical, search.Query{Text: "支持小组"}), []string{"我昨天去了支持小组"})
}

func besidesContent(t *testing.T, w *world) {
	w.put(t, acme, memory.Memory{
		Content: "routine check", Tags: []string{"boiler"}, Source: "telemetry", Entities: []memory.Entity{{Name: "Hamburg"}},
		Metadata: memory.Metadata{"params": map[string]any{"serial": "SN-270196"}, "list": []any{"alpha", "beta"}},
	})
	for _, question := range []string{"SN-270196", "boilers", "telemetry", "hamburg", "beta"} {
		if got := w.found(t, w.Lexical, search.Query{Text: question}); len(got) != 1 {
			t.Errorf("%q found %q", question, got)
		}
	}
	for _, question := range []string{"params", "serial"} { // keys are the program's words, not the memory's
		if got := w.found(t, w.Lexical, search.Query{Text: question}); len(got) != 0 {
			t.Errorf("%q found %q", question, got)
		}
	}
}

func repetitionIsNoEvidence(t *testing.T, w *world) {
	const content = "the heron stood by the river all morning"
	w.put(t, acme, memory.Memory{Content: content, ExternalID: "once"},
		memory.Memory{Content: content, ExternalID: "twice", Metadata: memory.Metadata{"plain": content}})
	hits := w.retrieve(t, w.Lexical, search.Query{Text: "heron"}, 10)
	if len(hits) != 2 || hits[0].Score != hits[1].Score {
		t.Errorf("hits %+v", hits)
	}
}

func rareOutweighs(t *testing.T, w *world) {
	for i := range 20 {
		w.say(t, fmt.Sprintf("meeting about topic %d", i))
	}
	w.say(t, "zeppelin sighting")
	got := w.found(t, w.Lexical, search.Query{Text: "meeting zeppelin"})
	if len(got) != 21 || got[0] != "zeppelin sighting" {
		t.Errorf("found %q", got)
	}
}

func shorterFirst(t *testing.T, w *world) {
	long := "otter" + strings.Repeat(" beside quiet water", 4)
	w.say(t, long, "otter beside water")
	same(t, "found", w.found(t, w.Lexical, search.Query{Text: "otter"}), []string{"otter beside water", long})
}

// repetitionSaturates compares memories of one length that say a word once, twice and three times.
func repetitionSaturates(t *testing.T, w *world) {
	w.say(t, "otter pebble meadow harbour", "otter otter meadow harbour", "otter otter otter harbour", "pebble meadow harbour willow")
	hits := w.retrieve(t, w.Lexical, search.Query{Text: "otter"}, 10)
	if len(hits) != 3 {
		t.Fatalf("%d hits", len(hits))
	}
	third, second := hits[0].Score-hits[1].Score, hits[1].Score-hits[2].Score
	if third <= 0 || second <= third {
		t.Errorf("the second adds %g, the third %g", second, third)
	}
}

func longQuestion(t *testing.T, w *world) {
	w.say(t, "the needle")
	for _, question := range []string{
		"needle " + strings.Repeat("hay stack ", 1000),
		"needle " + strings.Join(vocabulary(2000), " "),
	} {
		if got := w.found(t, w.Lexical, search.Query{Text: question}); len(got) != 1 {
			t.Errorf("found %q", got)
		}
	}
}

func unusualQuestions(t *testing.T, w *world) {
	const (
		hebrew = "הפגישה עם דנה נדחתה ליום שלישי"
		arabic = "اجتماع الفريق غدا في القاهرة"
		trace  = "the worker died: panic: runtime error: index out of range [5] with length 3 in parseHeader"
		mixed  = "Anna 买了 MacBook в Берлине"
	)
	w.say(t, hebrew, arabic, trace, mixed, "nothing of the kind")
	for question, want := range map[string]string{
		"מתי נדחתה הפגישה?":                      hebrew,
		"متى اجتماع الفريق؟":                     arabic,
		"кто был в Берлине?":                     mixed,
		"谁买了 MacBook?":                           mixed,
		"\u202eMacBook\u202c":                    mixed,
		"if err := parseHeader(b); err != nil {": trace,
		"goroutine 1 [running]:\nmain.parseHeader(0xc000012345)\n\t/src/main.go:42 +0x1d": trace,
	} {
		if got := w.found(t, w.Lexical, search.Query{Text: question}); len(got) == 0 || got[0] != want {
			t.Errorf("%q found %q", question, got)
		}
	}
	for _, question := range []string{"", " \t\n", "🎉🔥", "?!…—", "\xff\xfe", "\u200b\u200d", "\x00"} {
		same(t, fmt.Sprintf("found by %q", question), w.found(t, w.Lexical, search.Query{Text: question}), nil)
	}
}

func changedWords(t *testing.T, w *world) {
	m := w.say(t, "the parcel is in Hamburg")[0]
	same(t, "found", w.found(t, w.Lexical, search.Query{Text: "Hamburg"}), []string{m.Content})
	w.advance(time.Hour)
	m.Content = "the parcel is in Bremen"
	w.replace(t, m)
	same(t, "found by the old word", w.found(t, w.Lexical, search.Query{Text: "Hamburg"}), nil)
	same(t, "found by the new word", w.found(t, w.Lexical, search.Query{Text: "Bremen"}), []string{m.Content})
}

func replacedWords(t *testing.T, w *world) {
	m := w.say(t, "the office is in Hamburg")[0]
	w.advance(time.Hour)
	m.Content = "the office is in Bremen"
	w.replace(t, m)
	for _, c := range []struct {
		question string
		known    time.Time
		want     []string
	}{
		{"Hamburg", start, []string{"the office is in Hamburg"}},
		{"office", start, []string{"the office is in Hamburg"}},
		{"Bremen", start, nil},
		{"Bremen", w.clock(), []string{"the office is in Bremen"}},
		{"Hamburg", w.clock(), nil},
		{"office", start.Add(-time.Microsecond), nil},
	} {
		got := w.found(t, w.Lexical, search.Query{Text: c.question, View: memory.View{KnownAt: &c.known}})
		if !slices.Equal(got, c.want) {
			t.Errorf("%q known at %s: found %q, want %q", c.question, c.known, got, c.want)
		}
	}
}

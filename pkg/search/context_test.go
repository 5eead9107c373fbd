package search_test

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/tokens"
)

// told is a memory of a context's test; at is a day and time of March 2026, "" for none.
func told(id memory.ID, session, at, name, content string) memory.Memory {
	m := memory.Memory{ID: id, TenantID: here.Tenant, ProjectID: here.Project, Content: content, SessionID: session, Layer: memory.Episodic}
	if at != "" {
		when, err := time.Parse("2006-01-02 15:04", "2026-03-"+at)
		if err != nil {
			panic(err)
		}
		m.OccurredAt = &when
	}
	if name != "" {
		m.Metadata = memory.Metadata{"name": name}
	}
	return m
}

// finding is a service that finds the memories, the first first.
func finding(memories ...memory.Memory) *search.Service {
	kept := shelf{}
	var hits []search.Hit
	for i, m := range memories {
		kept[m.ID] = m
		hits = append(hits, at(m.ID, 1-float64(i)/200))
	}
	return &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: hits}}, Weights: search.Weights{"lexical": 1}, Memories: kept, Tokens: new(tokens.Counter),
		Clock: func() time.Time { return time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC) }, // recency orders nothing any more
	}
}

func pack(t *testing.T, s *search.Service, query string, maxTokens int) search.Context {
	t.Helper()
	packed, err := s.Context(t.Context(), search.Request{Scope: here, Query: query}, maxTokens)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestContextIsLaidOutBySessionInTheOrderThingsHappened(t *testing.T) {
	t.Parallel()
	s := finding(
		told("b2", "b", "05 10:00", "", "Jonas: Two feet deep."),
		told("a3", "a", "04 09:05", "Mara", "It sleeps all day."),
		told("x", "", "04 12:00", "", "The boiler was serviced."),
		told("a1", "a", "04 09:00", "Mara", "I adopted a greyhound."),
		told("b1", "b", "04 23:59", "", "Jonas: How deep is the pond?"),
		told("a2", "a", "04 09:04", "Jonas", "What is its name?"),
		told("y", "", "", "", "Somebody likes tea."),
		told("b0", "b", "", "", "A note without a date."),
	)
	packed := pack(t, s, "question", 500)
	const want = `- Somebody likes tea.
2026-03-04 Wed 09:00
- Mara: I adopted a greyhound.
- Jonas: What is its name?
- Mara: It sleeps all day.
2026-03-04 Wed 12:00
- The boiler was serviced.
undated
- A note without a date.
2026-03-04 Wed 23:59
- Jonas: How deep is the pond?
2026-03-05 Thu 10:00
- Jonas: Two feet deep.
`
	if packed.Text != want || packed.Truncated {
		t.Errorf("truncated %v:\n%s\nwant\n%s", packed.Truncated, packed.Text, want)
	}
	var order []memory.ID
	for _, c := range packed.Citations {
		order = append(order, c.MemoryID)
	}
	if want := []memory.ID{"y", "a1", "a2", "a3", "x", "b0", "b1", "b2"}; !reflect.DeepEqual(order, want) {
		t.Errorf("cited %v, want %v", order, want)
	}
}

func TestASmallContextSpendsNothingOnDates(t *testing.T) {
	t.Parallel()
	s := finding(told("a", "a", "04 09:00", "Mara", "I adopted a greyhound."))
	for limit, want := range map[int]string{7: "", 9: "- Mara: I adopted a greyhound.\n", 99: "- Mara: I adopted a greyhound.\n", 100: "2026-03-04 Wed 09:00\n- Mara: I adopted a greyhound.\n"} {
		if packed := pack(t, s, "question", limit); packed.Text != want || packed.Truncated != (want == "") {
			t.Errorf("%d tokens: %q (%d), truncated %v", limit, packed.Text, packed.Tokens, packed.Truncated)
		}
	}
}

func TestContextLeavesOutRepeatsAndNothingElse(t *testing.T) {
	t.Parallel()
	const long = "The landlord told Mara on the phone that the rent of the flat by the canal in the old town rises to 900 euros in April"
	for name, c := range map[string]struct {
		first, second, speaker string
		repeats                bool
	}{
		"the same":                           {long, long, "", true},
		"other case, inflection and points":  {long, strings.ToUpper(long) + "!!", "", true},
		"less of the same":                   {long, strings.TrimSuffix(long, " in April"), "", true},
		"more of the same":                   {long, long + ", and Mara is angry", "", false},
		"another number":                     {long, strings.Replace(long, "900", "950", 1), "", false},
		"a number that is not in the second": {long, strings.Replace(long, "900 euros", "euros", 1), "", false},
		"the opposite":                       {long, strings.Replace(long, "rises", "doesn't rise", 1), "", false},
		"the opposite of the second":         {strings.Replace(long, "rises", "does not rise", 1), strings.Replace(long, "rises", "does rise", 1), "", false},
		"a part, as an answer":               {long, "April", "", false},
		"said by another":                    {"I love hiking in the hills", "I love hiking in the hills", "Jonas", false},
		"another sign":                       {"🙂", "😢", "", false},
		"the same sign":                      {"🙂", "🙂", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := pack(t, finding(told("a", "", "04 09:00", "", c.first), told("b", "", "05 09:00", c.speaker, c.second)), "question", 500)
			if got := len(packed.Citations) == 1; got != c.repeats || packed.Truncated {
				t.Errorf("repeats %v, want %v:\n%s", got, c.repeats, packed.Text)
			}
		})
	}
}

func TestContextTakesFromALongMemoryWhatAnswers(t *testing.T) {
	t.Parallel()
	var sentences []string
	for i := range 400 {
		sentences = append(sentences, fmt.Sprintf("Paragraph %d says that nothing of note came to pass.", i))
	}
	sentences[217] = "The greyhound of Mara is called Biscuit."
	sentences[218] = "It came from a shelter."
	long := told("long", "", "04 09:00", "", strings.Join(sentences, " "))
	packed := pack(t, finding(long, told("other", "", "05 09:00", "", "Something else entirely.")), "From which shelter is Mara's greyhound?", 100)
	if !strings.Contains(packed.Text, "- … ") || !strings.Contains(packed.Text, sentences[217]+" "+sentences[218]) || !packed.Truncated || packed.Tokens > 100 {
		t.Errorf("%d tokens, truncated %v:\n%s", packed.Tokens, packed.Truncated, packed.Text)
	}
	if c := packed.Citations[0]; long.Content[c.Start:c.End] != packed.Text[c.TextStart:c.TextEnd] || c.Start == 0 {
		t.Errorf("cited %+v", c)
	}
	packed = pack(t, finding(told("first", "", "05 09:00", "", "Something else entirely."), long), "zeppelin", 100)
	if len(packed.Citations) != 1 || !packed.Truncated {
		t.Errorf("a part that holds nothing of the question took a place:\n%s", packed.Text)
	}
	packed = pack(t, finding(told("word", "", "", "", strings.Repeat("a", 600))), "zeppelin", 100)
	if packed.Text != "" || !packed.Truncated || packed.Tokens != 0 {
		t.Errorf("a sentence that does not fit: %+v", packed)
	}
}

// beside has turns before and after every hit that the legs did not find.
type beside struct{ hits []search.Hit }

func (b beside) Around(context.Context, search.Query, []search.Hit, int) ([]search.Hit, error) {
	return b.hits, nil
}

func TestContextTakesInTheTurnsAroundWhenTheyPay(t *testing.T) {
	t.Parallel()
	turns := []memory.Memory{
		told("1", "s", "04 09:00", "Mara", "Guess what I adopted from the shelter!"),
		told("2", "s", "04 09:01", "Jonas", "No idea, tell me."),
		told("3", "", "05 09:00", "", "A shelter for the bus stop is planned."),
	}
	s := finding(turns[0], turns[2])
	for i := range turns {
		s.Memories.(shelf)[turns[i].ID] = turns[i]
	}
	place := func(turn int) search.Place { return search.Place{Session: "s", Turn: turn} }
	for name, c := range map[string]struct {
		other float64 // what the memory that is no turn is worth
		want  []memory.ID
	}{
		"the turn after a good match before a weak match": {.1, []memory.ID{"1", "2"}},
		"a good match before the turn after another":      {.8, []memory.ID{"1", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := *s
			one.Legs = []search.Leg{leg{name: "lexical", hits: []search.Hit{{ID: "1", Score: .9, Place: place(0)}, at("3", c.other)}}}
			one.Neighbourhood = beside{[]search.Hit{{ID: "2", Place: place(1)}}}
			packed := pack(t, &one, "What did Mara adopt from the shelter?", 25)
			var cited []memory.ID
			for _, citation := range packed.Citations {
				cited = append(cited, citation.MemoryID)
			}
			if !reflect.DeepEqual(cited, c.want) || !packed.Truncated {
				t.Errorf("cited %v, want %v, truncated %v:\n%s", cited, c.want, packed.Truncated, packed.Text)
			}
		})
	}
}

// Lines of a context when what is cited has been taken out.
var (
	dated   = regexp.MustCompile(`^(undated|-?\d{4,}-\d\d-\d\d (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d)$`)
	emptied = regexp.MustCompile(`^- ([^\n]*: )?(… )?$`)
)

func TestContextNeverExceedsItsBudgetAndCitesEveryLine(t *testing.T) {
	t.Parallel()
	counter := new(tokens.Counter)
	content := rapid.OneOf(
		rapid.StringN(1, 120, 400),
		rapid.StringMatching(`[A-Z][a-z ]{5,40}\. [A-Z][a-z ]{5,40}[.!?]\n?[a-z /]{0,40}`),
		rapid.SampledFrom([]string{"🙂", "/", " ", "\n", "Yes.", "What is the question?", "question 1", "質問は何ですか。答えはまだない。", strings.Repeat("x", 700), strings.Repeat("A question. ", 80)}),
	)
	property := func(rt *rapid.T) {
		var memories []memory.Memory
		kept := map[memory.ID]memory.Memory{}
		for i := range rapid.IntRange(0, 12).Draw(rt, "memories") {
			m := told(memory.ID(fmt.Sprintf("m%02d", i)), rapid.SampledFrom([]string{"", "s", "t"}).Draw(rt, "session"), "", rapid.SampledFrom([]string{"", "Mara", "A\nB", "x: y"}).Draw(rt, "name"), content.Draw(rt, "content"))
			if rapid.Bool().Draw(rt, "dated") {
				when := time.Unix(rapid.Int64Range(0, 1<<18).Draw(rt, "at"), 0)
				m.OccurredAt = &when
			}
			memories = append(memories, m)
			kept[m.ID] = m
		}
		s := finding(memories...)
		count := counter.Count
		if s.Tokens = counter; rapid.Bool().Draw(rt, "bytes") {
			s.Tokens, count = nil, func(s string) int { return len(s) }
		}
		budget := rapid.IntRange(1, 300).Draw(rt, "budget")
		packed, err := s.Context(t.Context(), search.Request{Scope: here, Query: "question"}, budget)
		if err != nil {
			rt.Fatal(err)
		}
		if packed.Tokens > budget || packed.Tokens != count(packed.Text) {
			rt.Fatalf("%d tokens (%d counted) of %d", packed.Tokens, count(packed.Text), budget)
		}
		rest, end := "", 0
		for _, c := range packed.Citations {
			if c.Start >= c.End || c.TextStart < end || packed.Text[c.TextStart:c.TextEnd] != kept[c.MemoryID].Content[c.Start:c.End] {
				rt.Fatalf("%+v: text has %q, the memory %q", c, packed.Text[c.TextStart:c.TextEnd], kept[c.MemoryID].Content[c.Start:c.End])
			}
			if !packed.Truncated && c.End-c.Start < len(kept[c.MemoryID].Content) {
				rt.Fatalf("%+v is not all of %q, and nothing says so", c, kept[c.MemoryID].Content)
			}
			rest, end = rest+packed.Text[end:c.TextStart], c.TextEnd
		}
		lines := 0
		for line := range strings.Lines(rest + packed.Text[end:]) {
			switch line := strings.TrimSuffix(line, "\n"); {
			case emptied.MatchString(line):
				lines++
			case !dated.MatchString(line):
				rt.Fatalf("%q is cited from nowhere in\n%s", line, packed.Text)
			}
		}
		if lines != len(packed.Citations) {
			rt.Fatalf("%d citations of %d lines", len(packed.Citations), lines)
		}
		ordered(rt, packed, kept)
		if all := everything(memories, count); all <= budget && packed.Truncated {
			rt.Fatalf("all is %d tokens and did not fit into %d", all, budget)
		}
	}
	for range 100 {
		rapid.Check(t, property)
	}
}

// ordered fails where a session is in two places, or not in the order things happened.
func ordered(t *rapid.T, packed search.Context, kept map[memory.ID]memory.Memory) {
	ended := map[string]bool{}
	var before *memory.Memory
	for _, c := range packed.Citations {
		m := kept[c.MemoryID]
		if before != nil && before.SessionID == m.SessionID && m.SessionID != "" {
			if m.OccurredAt == nil && before.OccurredAt != nil || m.OccurredAt != nil && before.OccurredAt != nil && m.OccurredAt.Before(*before.OccurredAt) {
				t.Fatalf("%s after %s:\n%s", m.ID, before.ID, packed.Text)
			}
		} else if m.SessionID != "" && ended[m.SessionID] {
			t.Fatalf("session %s is in two places:\n%s", m.SessionID, packed.Text)
		}
		ended[m.SessionID] = true
		before = &m
	}
}

// everything is what all memories take up, each under a heading of its own.
func everything(memories []memory.Memory, count func(string) int) int {
	sum := 0
	for _, m := range memories {
		name, _ := m.Metadata["name"].(string)
		sum += count("2026-03-04 Wed 09:00\n") + count("undated\n") + count("- "+name+": ") + count(m.Content) + count("\n")
	}
	return sum
}

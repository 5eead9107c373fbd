package search_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// sought is a memory and how its leg scores it.
type sought struct {
	memory memory.Memory
	score  float64
	place  search.Place
	terms  []string
}

// telling is a service over one leg that finds the memories, whose ids are a, b, c … in their order.
func telling(all ...sought) *search.Service {
	s := shelf{}
	var hits []search.Hit
	for i, one := range all {
		m := one.memory
		m.ID, m.TenantID, m.ProjectID = memory.ID(rune('a'+i)), here.Tenant, here.Project
		s[m.ID] = m
		hits = append(hits, search.Hit{ID: m.ID, Score: one.score, Place: one.place, Terms: one.terms})
	}
	return &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: hits}}, Weights: search.Weights{"lexical": 1}, Memories: s,
		Clock: func() time.Time { return time.Date(2023, 6, 14, 12, 0, 0, 0, time.UTC) },
	}
}

// turns are equal turns far apart in one conversation.
func turns(contents ...string) []sought {
	var all []sought
	for i, content := range contents {
		all = append(all, sought{memory: memory.Memory{Content: content}, score: .4, place: search.Place{Session: "s", Turn: 10 * i}})
	}
	return all
}

func first(t *testing.T, s *search.Service, query string) memory.ID {
	t.Helper()
	return ids(ask(t, s, search.Request{Query: query}))[0]
}

const padding = " and so we went on for a good while longer with all of the others who came"

func TestLookPrefersWhatTheQuestionIsAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, query, worse, better string }{
		{"a time where one is asked for", "When did they move?", "They moved at some point" + padding, "They moved last week" + padding},
		{"a time in other words", "Which year did they move?", "They moved at some point" + padding, "They moved in 2019" + padding},
		{"a number where one is asked for", "How many dogs are there?", "There are dogs" + padding, "There are three dogs" + padding},
		{"the same in Chinese", "他们什么时候搬家?", "They moved at some point" + padding, "They moved yesterday" + padding},
		{"what tells to what asks", "the move", "Did they move to another house or flat? Or did they stay where they were all of the time?", "They moved to another house or flat. Or they stay where they were all of the time."},
		{"what says something to what is brief", "the move", "They moved", "They moved" + padding},
		{"what names something new", "the move", "they moved to the city" + padding, "they moved to Lisbon" + padding},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := first(t, telling(turns(c.worse, c.better)...), c.query); got != "b" {
				t.Errorf("%q comes first", c.worse)
			}
		})
	}
}

func TestLookValuesANameMoreWhereOneIsAskedFor(t *testing.T) {
	t.Parallel()
	score := func(query string) float64 {
		return ask(t, telling(turns("They went with Henrietta"+padding, "and back"+padding)...), search.Request{Query: query}).Results[0].Score
	}
	if who, where, what := score("Who went?"), score("Where did they go?"), score("What did they say?"); who <= what || where <= what {
		t.Errorf("asked for a person it scores %g, for a place %g, for a thing %g", who, where, what)
	}
}

// pairs are two pairs of neighbours far apart in one conversation.
func pairs(contents [4]string, terms [4][]string) []sought {
	all := turns(contents[:]...)
	for i, turn := range []int{0, 1, 20, 21} {
		all[i].place.Turn, all[i].terms = turn, terms[i]
	}
	return all
}

func TestLookPrefersTheReply(t *testing.T) {
	t.Parallel()
	all := pairs([4]string{"You moved, in the end.", "Because of the sea.", "Why did you move, in the end?", "Because of the sea."}, [4][]string{})
	all[1].score, all[3].score = .1, .1
	found := ids(ask(t, telling(all...), search.Request{Query: "their move"}))
	if slices.Index(found, "d") > slices.Index(found, "b") {
		t.Errorf("order %v: d answers what was asked", found)
	}
}

func TestLookPrefersWhatHoldsTheTermsItself(t *testing.T) {
	t.Parallel()
	all := pairs([4]string{"left", "beside it", "right", "beside it"}, [4][]string{{"red"}, {"kite"}, {"red", "kite"}, nil})
	all[1].score, all[3].score = .1, .1
	if got := first(t, telling(all...), "red kite"); got != "c" {
		t.Errorf("%s comes first", got)
	}
}

func TestLookCountsWhatATurnAndItsNeighboursHoldTogether(t *testing.T) {
	t.Parallel()
	all := pairs([4]string{"left", "beside it", "right", "beside it"}, [4][]string{{"red"}, {"red"}, {"red"}, {"kite"}})
	all[3].score = .3 // its rarer word must not decide
	all[1].score = .3
	found := ids(ask(t, telling(all...), search.Request{Query: "red kite"}))
	if slices.Index(found, "c") > slices.Index(found, "a") {
		t.Errorf("order %v", found)
	}
}

func TestLookReadsTheLinesOfATranscript(t *testing.T) {
	t.Parallel()
	talk := func(lines ...string) memory.Memory { return memory.Memory{Content: strings.Join(lines, "\n")} }
	scattered := talk("Ann: We saw a kite in the meadow, all of us.", "Bob: Nice.", "Ann: Somebody wore a red coat that day.", "Bob: Did they fly home again?")
	together := talk("Ann: Nice weather that day, all of us say.", "Bob: Did somebody fly a red kite?", "Ann: Yes, over the meadow by the river.", "Bob: Nice.")
	s := telling(sought{memory: scattered, score: .4}, sought{memory: together, score: .4})
	if got := first(t, s, "Who flew a red kite?"); got != "b" {
		t.Errorf("%s comes first", got)
	}
}

// hunch is an embedder that finds one text close to every question, and counts how often it is asked.
type hunch struct {
	line  string
	asked *int
}

func (hunch) EmbedQuery(context.Context, string) ([]float32, error) { return []float32{1}, nil }

func (h hunch) Closeness(_ context.Context, _ string, texts []string) ([]float64, error) {
	*h.asked++
	cosines := make([]float64, len(texts))
	for i, said := range texts {
		cosines[i] = .2
		if said == h.line {
			cosines[i] = .9
		}
	}
	return cosines, nil
}

func TestLookComparesTheLinesOfATranscriptWithTheQuestion(t *testing.T) {
	t.Parallel()
	talk := func(third string) sought {
		return sought{memory: memory.Memory{Content: "Ann: Nice weather that day, all of us say.\nBob: And what did you do then?\nAnn: " + third + "\nBob: Nice."}, score: .4}
	}
	said := "We let the dragon rise on its string over the meadow."
	for name, c := range map[string]struct {
		mode    search.Mode
		weights search.Weights
		want    memory.ID
		asked   int
	}{
		"with vectors":              {"", search.Weights{"lexical": 1, "dense": .7}, "b", 1},
		"by words alone":            {search.Lexical, search.Weights{"lexical": 1, "dense": .7}, "a", 0},
		"where vectors help out":    {"", search.Weights{"lexical": 1, "dense": -.2}, "a", 0},
		"where vectors don't count": {"", search.Weights{"lexical": 1}, "a", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := telling(talk("We sat on the bench and talked about the old days."), talk(said))
			asked := 0
			s.Embedder, s.Weights = hunch{said, &asked}, c.weights
			if got := ids(ask(t, s, search.Request{Query: "Who flew a kite?", Mode: c.mode}))[0]; got != c.want || asked != c.asked {
				t.Errorf("%s comes first, %d comparisons", got, asked)
			}
		})
	}
}

func TestTimesOfTheQuestionCount(t *testing.T) {
	t.Parallel()
	on := func(year int, month time.Month, day int) sought {
		at := time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
		return sought{memory: memory.Memory{Content: "they met", OccurredAt: &at}, score: .4}
	}
	for _, c := range []struct {
		query string
		asOf  time.Time
		want  memory.ID
		near  float64
	}{
		{"Whom did they meet last May?", time.Time{}, "c", 1},
		{"Whom did they meet yesterday?", time.Time{}, "d", 1},
		{"Whom did they meet in 2021?", time.Time{}, "a", 1},
		{"Whom did they meet last May?", time.Date(2022, 12, 1, 0, 0, 0, 0, time.UTC), "b", 1},
	} {
		s := telling(on(2021, 3, 3), on(2022, 5, 20), on(2023, 5, 20), on(2023, 6, 13))
		r := search.Request{Query: c.query}
		if !c.asOf.IsZero() {
			r.View.AsOf = &c.asOf
		}
		found := ask(t, s, r).Results[0]
		if found.Memory.ID != c.want || found.Scores.Temporal == nil || *found.Scores.Temporal != c.near {
			t.Errorf("%q as of %v: %s first, temporal %v", c.query, c.asOf, found.Memory.ID, found.Scores.Temporal)
		}
	}
	if got := ask(t, telling(on(2021, 3, 3)), search.Request{Query: "Whom did they meet?"}).Results[0].Scores.Temporal; got != nil {
		t.Errorf("without a time in the question, temporal is %v", *got)
	}
}

func TestTimesOfAnOldConversationAreToldFromItsEnd(t *testing.T) {
	t.Parallel()
	on := func(day int) sought {
		at := time.Date(2019, 8, day, 12, 0, 0, 0, time.UTC)
		return sought{memory: memory.Memory{Content: "they met", OccurredAt: &at}, score: .4}
	}
	if got := first(t, telling(on(1), on(29), on(30)), "Whom did they meet yesterday?"); got != "b" {
		t.Errorf("%s comes first", got)
	}
}

func TestTimesAfterSomethingThatHappened(t *testing.T) {
	t.Parallel()
	on := func(content string, day int, score float64) sought {
		at := time.Date(2023, 3, day, 12, 0, 0, 0, time.UTC)
		return sought{memory: memory.Memory{Content: content, OccurredAt: &at}, score: score}
	}
	s := telling(on("the trip began", 1, .5), on("they met", 8, .4), on("they met", 15, .4), on("they met", 29, .4))
	got := ids(ask(t, s, search.Request{Query: "Whom did they meet two weeks after the trip?"}))
	if got[0] != "c" {
		t.Errorf("order %v", got)
	}
}

func TestStandingWishesAreRecalledByType(t *testing.T) {
	t.Parallel()
	for name, wish := range map[string]memory.Memory{
		"by tag": {Content: "window seats", Tags: []string{"preference"}}, "by metadata": {Content: "window seats", Metadata: memory.Metadata{"type": "instruction"}},
		"by how it is said": {Content: "I’d rather sit at the window. Always."},
	} {
		s := telling(sought{memory: memory.Memory{Content: "seats"}, score: .4}, sought{memory: wish, score: .4})
		if got := first(t, s, "Which seat should I book?"); got != "b" {
			t.Errorf("%s: %s comes first", name, got)
		}
		if got := first(t, s, "When was the seat booked?"); got != "a" {
			t.Errorf("%s: a question of fact is answered with a wish", name)
		}
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"What did Caroline paint?": search.Factual, "When did Caroline paint it?": search.Temporal, "What happened last May?": search.Temporal,
		"Why does the deploy fail?": search.Conceptual, "Explain how the cache works to me please": search.Conceptual,
		"How do Alice and Bob know each other?": search.Relational, "What is the relationship of the two firms?": search.Relational,
		"red kite": search.Keyword, "SN-270196 maintenance details of the boiler": search.Keyword, "": search.Keyword, "🎉": search.Keyword,
	} {
		explained := ask(t, telling(sought{score: .4}), search.Request{Query: cmp(query)}).Results[0].Explain
		if explained.Profile != want {
			t.Errorf("%q is %s, want %s", query, explained.Profile, want)
		}
	}
}

// cmp is the query, or white space where ask would put its own.
func cmp(query string) string {
	if query == "" {
		return " "
	}
	return query
}

func TestProfilesAndWeightsOfARequest(t *testing.T) {
	t.Parallel()
	s := telling(sought{score: .4})
	s.Legs = append(s.Legs, leg{name: "dense"}, leg{name: "graph"})
	s.Weights = search.Weights{"lexical": 1, "dense": .4, "graph": .1}
	for _, c := range []struct {
		name    string
		request search.Request
		want    search.Weights
	}{
		{"of its kind", search.Request{Query: "What did she paint?"}, search.Weights{"lexical": 1, "dense": .4, "graph": 0}},
		{"of the profile it names", search.Request{Profile: search.Relational}, search.Weights{"lexical": 1, "dense": .4, "graph": .1 * 3.0}},
		{"its own", search.Request{Weights: search.Weights{"dense": .9, "lexical": 0}}, search.Weights{"lexical": 0, "dense": .9, "graph": 0}},
	} {
		c.request.Query = "What did she paint?"
		got := ask(t, s, c.request).Results[0].Explain.Weights
		for name, want := range c.want {
			if math.Abs(got[name]-want) > 1e-12 {
				t.Errorf("%s: weights %v, want %v", c.name, got, c.want)
			}
		}
	}
	for field, r := range map[string]search.Request{
		"body.profile": {Profile: "poetic"}, "body.weights.smell": {Weights: search.Weights{"smell": 1}},
		"body.weights.dense": {Weights: search.Weights{"dense": 1.5}}, "body.weights.graph": {Weights: search.Weights{"graph": math.NaN()}},
	} {
		r.Scope, r.Query, r.Limit = here, "x", 1
		_, err := s.Search(t.Context(), r)
		var f *fault.Error
		if !errors.As(err, &f) || len(f.Fields) != 1 || f.Fields[0].Location != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestLookTakesAnyQuestionAndAnyMemory(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", " \t\n", "🎉🔥", "\xff\xfe", "\u202eabc\u202c", "?!…", "？", strings.Repeat("word ", 2000), strings.Repeat("词", 2000),
		"मेरा नाम क्या है?", "מתי נפגשנו?", "متى التقينا؟", "goroutine 1 [running]:\n\tmain.go:42 +0x1d\n", ": : :\n: :\n: :\n: :", strings.Repeat("a: b\n", 50), "last", "a", "two weeks", "next", "the last two",
	}
	var all []sought
	for i, text := range texts {
		all = append(all, sought{memory: memory.Memory{Content: text}, score: .4, place: search.Place{Session: "s", Turn: i}, terms: []string{"x"}})
		all = append(all, sought{memory: memory.Memory{Content: text}, score: .4})
	}
	s := telling(all...)
	for _, query := range texts {
		a, b := ask(t, s, search.Request{Query: cmp(query), Limit: 100}), ask(t, s, search.Request{Query: cmp(query), Limit: 100})
		if len(a.Results) != len(all) || !reflect.DeepEqual(ids(a), ids(b)) {
			t.Errorf("%.20q: %d results of %d", query, len(a.Results), len(all))
		}
		for _, r := range a.Results {
			if !(r.Score >= 0 && r.Score <= 1) {
				t.Errorf("%.20q: score %g", query, r.Score)
			}
		}
	}
}

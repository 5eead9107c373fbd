package searchtest

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func viewClauses() []legClause {
	return []legClause{
		{"as_of finds what was true then, bounds included and excluded", asOfBounds},
		{"known_at finds what was known then, bounds included and excluded", knownAtBounds},
		{"as_of and known_at together find what was then believed of the world", bothTimes},
		{"times of any century are told apart", anyCentury},
		{"a filter is held against the version the view shows", filterInThePast},
		{"of a thousand facts, told late and corrected, it finds at any pair of times what an oracle finds", factsOracle},
	}
}

func asOfBounds(t *testing.T, w *world, leg search.Leg) {
	from, to := start.Add(-48*time.Hour), start.Add(-24*time.Hour)
	bounded := common("rain")
	bounded.ValidFrom, bounded.ValidTo = &from, &to
	m := w.put(t, acme, bounded, common("water is wet"))
	for _, c := range []struct {
		name string
		at   *time.Time
		want []memory.ID
	}{
		{"just before valid_from", at(from.Add(-time.Nanosecond)), idsOfMemories(m[1])},
		{"at valid_from", &from, idsOfMemories(m...)},
		{"just before valid_to", at(to.Add(-time.Nanosecond)), idsOfMemories(m...)},
		{"at valid_to", &to, idsOfMemories(m[1])},
		{"whenever", nil, idsOfMemories(m...)},
	} {
		same(t, c.name, w.ids(t, leg, search.Query{Text: "common", View: memory.View{AsOf: c.at}}), c.want)
	}
}

func knownAtBounds(t *testing.T, w *world, leg search.Leg) {
	first := w.put(t, acme, common("first"))[0]
	changed := w.advance(time.Hour)
	first.Tags = []string{"changed"}
	w.replace(t, first)
	later := w.advance(time.Hour)
	second := w.put(t, acme, common("second"))[0]
	for _, c := range []struct {
		name string
		at   *time.Time
		tags []string
		want []memory.ID
	}{
		{"before anything", at(start.Add(-time.Nanosecond)), nil, nil},
		{"at the first", &start, nil, idsOfMemories(first)},
		{"just before the change, by the new tag", at(changed.Add(-time.Nanosecond)), []string{"changed"}, nil},
		{"at the change, by the new tag", &changed, []string{"changed"}, idsOfMemories(first)},
		{"just before the second", at(later.Add(-time.Nanosecond)), nil, idsOfMemories(first)},
		{"at the second", &later, nil, idsOfMemories(first, second)},
		{"in days to come", at(later.Add(1000 * time.Hour)), nil, idsOfMemories(first, second)},
	} {
		q := search.Query{Text: "common", View: memory.View{KnownAt: c.at}, Filter: memory.Filter{Tags: c.tags}}
		same(t, c.name, w.ids(t, leg, q), c.want)
	}
}

func bothTimes(t *testing.T, w *world, leg search.Leg) {
	m := w.put(t, acme, common("Ann lives in Oslo"))[0]
	learned := w.advance(time.Hour)
	moved := start.Add(-time.Hour)
	m.ValidTo = &moved
	w.replace(t, m)
	for _, c := range []struct {
		name      string
		as, known *time.Time
		found     bool
	}{
		{name: "true at the start, as known now", as: &start},
		{name: "true at the start, as believed then", as: &start, known: at(learned.Add(-time.Second)), found: true},
		{name: "true before the move, as known now", as: at(moved.Add(-time.Second)), found: true},
		{name: "true before the move, before it was told", as: at(moved.Add(-time.Second)), known: at(start.Add(-time.Second))},
	} {
		var want []memory.ID
		if c.found {
			want = idsOfMemories(m)
		}
		same(t, c.name, w.ids(t, leg, search.Query{Text: "common", View: memory.View{AsOf: c.as, KnownAt: c.known}}), want)
	}
}

func anyCentury(t *testing.T, w *world, leg search.Leg) {
	year := func(y int) *time.Time { return at(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)) }
	medieval, modern, distant := common("a castle"), common("a railway"), common("a starship")
	medieval.ValidFrom, medieval.ValidTo, medieval.OccurredAt = year(1066), year(1500), year(1066)
	modern.ValidFrom, modern.ValidTo, modern.OccurredAt = year(1850), year(2100), year(1850)
	distant.ValidFrom, distant.ValidTo, distant.OccurredAt = year(2400), year(9000), year(2400)
	m := w.put(t, acme, medieval, modern, distant)
	for _, c := range []struct {
		year  int
		valid []memory.ID
		since []memory.ID
	}{
		{1, nil, idsOfMemories(m...)},
		{1066, idsOfMemories(m[0]), idsOfMemories(m...)},
		{1499, idsOfMemories(m[0]), idsOfMemories(m[1:]...)},
		{1900, idsOfMemories(m[1]), idsOfMemories(m[2])},
		{2400, idsOfMemories(m[2]), idsOfMemories(m[2])},
		{9000, nil, nil},
	} {
		same(t, year(c.year).String(), w.ids(t, leg, search.Query{Text: "common", View: memory.View{AsOf: year(c.year)}}), c.valid)
		same(t, "since "+year(c.year).String(), w.ids(t, leg, search.Query{Text: "common", Filter: memory.Filter{Since: year(c.year)}}), c.since)
	}
}

func filterInThePast(t *testing.T, w *world, leg search.Leg) {
	first := common("note")
	first.Tags, first.Importance, first.Layer = []string{"old"}, .2, memory.Working
	m := w.put(t, acme, first)[0]
	w.advance(time.Hour)
	m.Tags, m.Importance, m.Layer = []string{"new"}, .8, memory.LongTerm
	w.replace(t, m)
	for name, filters := range map[string][2]memory.Filter{
		"tags":       {{Tags: []string{"old"}}, {Tags: []string{"new"}}},
		"layers":     {{Layers: []memory.Layer{memory.Working}}, {Layers: []memory.Layer{memory.LongTerm}}},
		"importance": {{}, {MinImportance: .5}},
	} {
		past, now := memory.View{KnownAt: at(start)}, memory.View{}
		same(t, name+" of the past, in the past", w.ids(t, leg, search.Query{Text: "common", Filter: filters[0], View: past}), idsOfMemories(m))
		same(t, name+" of now, in the past", w.ids(t, leg, search.Query{Text: "common", Filter: filters[1], View: past}), nil)
		same(t, name+" of now, now", w.ids(t, leg, search.Query{Text: "common", Filter: filters[1], View: now}), idsOfMemories(m))
	}
	same(t, "the old tag, now", w.ids(t, leg, search.Query{Text: "common", Filter: memory.Filter{Tags: []string{"old"}}}), nil)
}

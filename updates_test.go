package rae_test

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// revision is a line of testdata/updates.jsonl: something that was so, and then otherwise, among other things that the same
// person said; what to ask of now, and of a day between the two.
type revision struct {
	ID                       string
	Older, Newer, Distractor struct{ At, Text string }
	Now, Then                string
	AsOf                     string `json:"as_of"`
}

func readUpdates(t *testing.T) (all []revision) {
	t.Helper()
	file, err := os.Open("testdata/updates.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var u revision
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

// What was updated is found in its newer version when now is asked of, and in its older one as of a time when that held.
func TestUpdatesAreFoundInTheirOrder(t *testing.T) {
	t.Parallel()
	e := open(t, func(cfg *rae.Config) { cfg.Search.CacheAnswers = 0 })
	scope := memory.Scope{Tenant: "acme", Project: "updates"}
	updates := readUpdates(t)
	var items []json.RawMessage
	for _, u := range updates {
		for part, said := range map[string]struct{ At, Text string }{"older": u.Older, "newer": u.Newer, "distractor": u.Distractor} {
			at, err := time.Parse(time.DateOnly, said.At)
			if err != nil {
				t.Fatal(err)
			}
			item, err := json.Marshal(ingest.Draft{Content: said.Text, OccurredAt: &at, ExternalID: u.ID + " " + part})
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, item)
		}
	}
	for some := range slices.Chunk(items, ingest.MaxBatch) {
		if _, _, err := e.Memories.Batch(t.Context(), scope, some, memory.Key{}, memory.Why{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	// before reports whether one part of the update is found, and the other is not or further down.
	before := func(u revision, first, second, question string, view memory.View) bool {
		found, err := e.Search.Search(t.Context(), search.Request{Scope: scope, Query: question, Limit: 10, View: view})
		if err != nil {
			t.Fatal(err)
		}
		at := func(part string) int {
			return slices.IndexFunc(found.Results, func(r search.Result) bool { return r.Memory.ExternalID == u.ID+" "+part })
		}
		return at(first) >= 0 && (at(second) < 0 || at(first) < at(second))
	}
	now, then, plain, plainAsked := 0, 0, 0, 0
	for _, u := range updates {
		asOf, err := time.Parse(time.DateOnly, u.AsOf)
		if err != nil {
			t.Fatal(err)
		}
		newer := before(u, "newer", "older", u.Now, memory.View{})
		if newer {
			now++
		}
		if !saysNow(u.Now) {
			plainAsked++
			if newer {
				plain++
			}
		}
		if before(u, "older", "newer", u.Then, memory.View{AsOf: &asOf}) {
			then++
		}
	}
	all := len(updates)
	t.Logf("newer first: %d of %d (where no word says now: %d of %d); older first as of then: %d of %d", now, all, plain, plainAsked, then, all)
	if said, asked := now-plain, all-plainAsked; said*10 < asked*9 || then*10 < all*9 {
		t.Errorf("newer first in %d of %d that say now, older first as of then in %d of %d, want nine tenths", said, asked, then, all)
	}
	if now*10 < all*8 {
		t.Errorf("newer first in %d of %d, want eight tenths", now, all)
	}
}

var wordsOfNow = regexp.MustCompile(`\b(?:now|current|currently|these days|at the moment|at present)\b`)

func saysNow(question string) bool { return wordsOfNow.MatchString(question) }

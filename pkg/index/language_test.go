package index_test

import (
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/text"
)

func TestLanguageOfAScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	languages := map[string]text.Language{"tokyo": text.CJK, "code": text.Simple}
	w.set.Language = func(scope memory.Scope) text.Language { return languages[scope.Tenant] }
	contents := []string{"我们昨天去了北京动物园", "新しいｶﾒﾗを京都で買いました", "the cameras were running"}
	for _, tenant := range []string{"acme", "tokyo", "code"} {
		for _, content := range contents {
			w.put(memory.Scope{Tenant: tenant, Project: "p"}, memory.Memory{Content: content})
		}
	}
	for _, c := range []struct {
		name, tenant, question string
		want                   []string
	}{
		{"chinese by shared bigrams", "tokyo", "北京哪里有动物", contents[:1]},
		{"japanese by shared bigrams", "tokyo", "京都で何をした", contents[1:2]},
		{"japanese in another width", "tokyo", "どこでカメラを", contents[1:2]},
		{"one character that stands elsewhere is no bigram", "tokyo", "京", nil},
		{"simple has bigrams too", "code", "北京哪里", contents[:1]},
		{"simple knows one width", "code", "カメラ", nil},
		{"simple finds the form that stands there", "code", "running", contents[2:]},
		{"simple finds a function word", "code", "the", contents[2:]},
		{"simple finds no other form", "code", "camera run", nil},
		{"cjk finds no other form", "tokyo", "camera run", nil},
		{"english finds another form", "acme", "camera run", contents[2:]},
		{"english has bigrams as ever", "acme", "北京哪里", contents[:1]},
		{"english has its stop words", "acme", "the", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := search.Query{Scope: memory.Scope{Tenant: c.tenant, Project: "p"}, Text: c.question}
			got := w.find(index.Lexical{Set: w.set}, q)
			if !slices.Equal(got, c.want) {
				t.Errorf("%q finds %q, want %q", c.question, got, c.want)
			}
		})
	}
}

// A scope that is let go and read again keeps its language, and so does one that is begun anew.
func TestLanguageOutlivesAReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set.Language = func(memory.Scope) text.Language { return text.Simple }
	w.say("the cameras were running")
	q := search.Query{Scope: here, Text: "camera"}
	for _, again := range []func(){
		func() {}, func() { w.set.Forget(here) },
		func() {
			if _, err := w.db.EraseTenant(t.Context(), here.Tenant); err != nil {
				t.Fatal(err)
			}
			w.say("more cameras")
		},
	} {
		again()
		if got := w.find(index.Lexical{Set: w.set}, q); len(got) != 0 {
			t.Errorf("found %q", got)
		}
	}
}

package resolve_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/resolve"
)

func resolved(t *testing.T, r resolve.Resolver, all ...resolve.Mentioned) resolve.Resolution {
	t.Helper()
	got, err := r.Resolve(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// groups are the ids of each group in order, as "a b, c d".
func groups(r resolve.Resolution) string {
	var all []string
	for _, g := range r.Groups {
		all = append(all, strings.Join(slices.Sorted(slices.Values(g)), " "))
	}
	return strings.Join(all, ", ")
}

func someone(id, name string, contexts ...string) resolve.Mentioned {
	return resolve.Mentioned{ID: id, Name: name, Type: "person", Contexts: contexts}
}

func TestWhatGuardsKeepApart(t *testing.T) {
	t.Parallel()
	with := func(m resolve.Mentioned, trait string, values ...string) resolve.Mentioned {
		m.Traits = map[string][]string{trait: values}
		return m
	}
	typed := func(id, name, kind string) resolve.Mentioned {
		return resolve.Mentioned{ID: id, Name: name, Type: kind}
	}
	for name, tt := range map[string]struct {
		a, b resolve.Mentioned
		want string
	}{
		"the same name alone":              {someone("a", "Alex Chen"), someone("b", "Alex Chen"), "a b"},
		"two employers":                    {someone("a", "Alex Chen", "Alex Chen works at Acme."), someone("b", "Alex Chen", "Alex Chen of Globex called."), ""},
		"one employer":                     {someone("a", "Alex Chen", "Alex Chen works at Acme."), someone("b", "Alex Chen", "Alex Chen of Acme called."), "a b"},
		"two addresses":                    {someone("a", "Alex Chen", "Write to alex@acme.example."), someone("b", "Alex Chen", "Write to chen@globex.example."), ""},
		"one address among two":            {with(someone("a", "Alex Chen"), "email", "x@a.example", "y@a.example"), with(someone("b", "Alex Chen"), "email", "y@a.example"), "a b"},
		"two speakers of one conversation": {with(someone("a", "Sam"), "speaker in s1", "user-1"), with(someone("b", "Sam"), "speaker in s1", "user-2"), ""},
		"speakers of two conversations":    {with(someone("a", "Sam"), "speaker in s1", "user-1"), with(someone("b", "Sam"), "speaker in s2", "user-2"), "a b"},
		"two types":                        {typed("a", "Amazon", "company"), typed("b", "Amazon", "place"), ""},
		"two words for one type":           {typed("a", "Amazon", "company"), typed("b", "Amazon", "Organisation"), "a b"},
		"a type not known":                 {typed("a", "Amazon", "company"), typed("b", "Amazon", ""), "a b"},
		"a Cyrillic А":                     {someone("a", "Ann Lee"), someone("b", "Аnn Lee"), ""},
		"all of it Cyrillic":               {someone("a", "Sara"), someone("b", "Ѕаrа"), ""},
		"wide letters":                     {someone("a", "Ann Lee"), someone("b", "Ａｎｎ Ｌｅｅ"), "a b"},
		"letters and marks apart":          {someone("a", "José Díaz"), someone("b", "José Díaz"), "a b"},
		"father and son":                   {someone("a", "John Smith Jr."), someone("b", "John Smith Sr."), ""},
		"two versions":                     {typed("a", "Lumio 4.1", "product"), typed("b", "Lumio 4.10", "product"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := resolved(t, resolve.Resolver{}, tt.a, tt.b)
			if groups(got) != tt.want {
				t.Errorf("together %q, want %q (%+v)", groups(got), tt.want, got)
			}
			turned := resolved(t, resolve.Resolver{}, tt.b, tt.a)
			if groups(turned) != tt.want {
				t.Errorf("turned round: together %q, want %q", groups(turned), tt.want)
			}
		})
	}
}

func TestAConfusableNameIsNotEvenSuggested(t *testing.T) {
	t.Parallel()
	for latin, other := range map[string]string{"Ann Lee": "\u0410nn Lee", "Pavel Moroz": "Pavel Mor\u043ez", "Sara": "\u0405\u0430r\u0430"} {
		got := resolved(t, resolve.Resolver{}, someone("a", latin, latin+" keeps the keys."), someone("b", other, other+" keeps the keys."))
		if len(got.Groups)+len(got.Suggestions) > 0 {
			t.Errorf("%s: got %+v", latin, got)
		}
	}
}

func TestNoChainJoinsWhatItsEndsKeepApart(t *testing.T) {
	t.Parallel()
	got := resolved(t, resolve.Resolver{},
		someone("1", "Tom Berg", "Tom Berg fixes roofs."), someone("2", "Thomas Berg", "Thomas Berg fixes roofs."),
		someone("3", "T. Berg", "T. Berg fixes roofs and sings."), someone("4", "Tina Berg", "Tina Berg sings."))
	if groups(got) != "1 2" { // T. may be either
		t.Errorf("together %q", groups(got))
	}
	sam := someone("2", "Sam Ortiz")
	sam.Aliases = []string{"Samuel Ortiz", "Samantha Ortiz"}
	got = resolved(t, resolve.Resolver{}, someone("1", "Samuel Ortiz"), sam, someone("3", "Samantha Ortiz"))
	if len(got.Groups) != 1 || len(got.Groups[0]) != 2 || len(got.Suggestions) != 1 {
		t.Errorf("by an alias: %+v", got)
	}
}

func TestAnInitialOfTwoStaysApart(t *testing.T) {
	t.Parallel()
	got := resolved(t, resolve.Resolver{}, someone("1", "John Smith"), someone("2", "Jane Smith"), someone("3", "J. Smith"))
	if groups(got) != "" || len(got.Suggestions) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatStandsIsGrownAndNotRepeated(t *testing.T) {
	t.Parallel()
	a, b, c := someone("1", "Ann Berg"), someone("2", "Dr. Ann Berg"), someone("3", "Berg, Ann")
	a.Group, b.Group, c.Mentions = "1", "1", 9
	got := resolved(t, resolve.Resolver{}, a, b, c)
	if len(got.Groups) != 1 || got.Groups[0][0] != "1" || len(got.Groups[0]) != 3 {
		t.Errorf("groups %v", got.Groups)
	}
	c.Group = "1"
	if got := resolved(t, resolve.Resolver{}, a, b, c); len(got.Groups)+len(got.Suggestions) > 0 {
		t.Errorf("again: %+v", got)
	}
}

func TestWhomSomebodyKeepsApart(t *testing.T) {
	t.Parallel()
	r := resolve.Resolver{Apart: func(a, b string) bool { return min(a, b) == "1" && max(a, b) == "2" }}
	got := resolved(t, r, someone("1", "Ann Berg"), someone("2", "Dr. Ann Berg"), someone("3", "Ann Berg, PhD"))
	for _, g := range got.Groups {
		if slices.Contains(g, "1") && slices.Contains(g, "2") {
			t.Errorf("groups %v", got.Groups)
		}
	}
}

type judge map[string]float64

func (j judge) Judge(_ context.Context, pairs []resolve.Pair) (likely []float64, err error) {
	if j == nil {
		return nil, errors.New("away")
	}
	for _, p := range pairs {
		likely = append(likely, j[p.A.Name+"/"+p.B.Name]+j[p.B.Name+"/"+p.A.Name])
	}
	return likely, nil
}

func TestTheJudgeDecidesWhatRulesLeaveOpen(t *testing.T) {
	t.Parallel()
	all := []resolve.Mentioned{someone("1", "Priya Raghavan"), someone("2", "P. Raghavan"), someone("3", "Ivo Petrak"), someone("4", "I. Petrak")}
	if got := resolved(t, resolve.Resolver{}, all...); groups(got) != "" || len(got.Suggestions) != 2 {
		t.Errorf("without one: %+v", got)
	}
	got := resolved(t, resolve.Resolver{Judge: judge{"Priya Raghavan/P. Raghavan": .99, "Ivo Petrak/I. Petrak": .1}}, all...)
	if groups(got) != "1 2" || len(got.Suggestions) != 0 || got.Links[0].Method != "judge" {
		t.Errorf("with one: %+v", got)
	}
	if _, err := (&resolve.Resolver{Judge: judge(nil)}).Resolve(t.Context(), all); err == nil {
		t.Error("a judge that is away goes unnoticed")
	}
}

func TestAnEmbedderTellsWhoIsMentionedAlike(t *testing.T) {
	t.Parallel()
	all := []resolve.Mentioned{someone("1", "Priya Raghavan", "Priya Raghavan mends boats."), someone("2", "P. Raghavan", "P. Raghavan repairs ships."),
		someone("3", "Ivo Petrak", "Ivo Petrak sells bread."), someone("4", "I. Petrak", "I. Petrak hunts bears.")}
	var asked []string
	r := resolve.Resolver{Embed: func(_ context.Context, texts []string) (vectors [][]float32, err error) {
		asked = append(asked, texts...)
		for _, text := range texts {
			v := []float32{1, 0}
			if strings.Contains(text, "bears") {
				v = []float32{.5, .5}
			}
			vectors = append(vectors, v)
		}
		return vectors, nil
	}}
	if got := resolved(t, r, all...); groups(got) != "1 2" {
		t.Errorf("got %+v", got)
	}
	if len(asked) != 4 || slices.ContainsFunc(asked, func(s string) bool { return strings.Contains(s, "Raghavan") }) {
		t.Errorf("asked %q: a name is no likeness", asked)
	}
	r.Embed = func(context.Context, []string) ([][]float32, error) { return nil, errors.New("away") }
	if _, err := r.Resolve(t.Context(), all); err == nil {
		t.Error("an embedder that is away goes unnoticed")
	}
}

func TestNamesThatAreNoneAreLeftAlone(t *testing.T) {
	t.Parallel()
	var all []resolve.Mentioned
	for i, name := range []string{"", " ", "!!", "…", "()", `""`, ",", "-", "&", "the", "Mr.", "Dr", "1", "7.1", "v", "\u200b", "a", "Ж", "王", strings.Repeat("x", 5000), strings.Repeat("a b ", 800), "Inc.", "St.", "II"} {
		for _, kind := range []string{"", "person", "organisation", "place", "product"} {
			all = append(all, resolve.Mentioned{ID: string(rune('A'+i)) + kind, Name: name, Type: kind, Aliases: []string{name, "", "x"}, Contexts: []string{"", name, "\xff" + name}})
		}
	}
	resolved(t, resolve.Resolver{}, all...)
	resolved(t, resolve.Resolver{})
}

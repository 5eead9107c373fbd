package resolve_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/resolve"
)

// world is what one file of testdata tells.
type world struct {
	name      string
	mentioned []resolve.Mentioned
	who       []string // who each of them is
}

func worlds(t testing.TB, half string) (all []world) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", half, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no worlds: %v", err)
	}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		w := world{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			fields := strings.Split(lines.Text(), "|")
			if len(fields) != 5 {
				t.Fatalf("%s: %q", path, lines.Text())
			}
			for i := range fields {
				fields[i] = strings.TrimSpace(fields[i])
			}
			m := resolve.Mentioned{ID: fmt.Sprintf("%s#%02d", w.name, len(w.who)), Type: fields[1], Name: fields[2], Contexts: []string{fields[4]}}
			if fields[3] != "" {
				m.Aliases = strings.Split(fields[3], "; ")
			}
			who := fields[0]
			if strings.HasPrefix(who, "?") {
				who = m.ID
			}
			w.mentioned, w.who = append(w.mentioned, m), append(w.who, who)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

// grade is how good a resolution is. Hard are pairs that are two although their names share a word, or four of five
// letters in order.
type grade struct {
	mentions, right, found, wanted int // pairs: rightly together, together, that should be
	hard, fell                     int // hard pairs, and those wrongly together
	bPrecision, bRecall            float64
}

func (g *grade) add(o grade) {
	g.mentions, g.right, g.found, g.wanted = g.mentions+o.mentions, g.right+o.right, g.found+o.found, g.wanted+o.wanted
	g.hard, g.fell = g.hard+o.hard, g.fell+o.fell
	g.bPrecision, g.bRecall = g.bPrecision+o.bPrecision, g.bRecall+o.bRecall
}

func (g *grade) precision() float64 { return float64(g.right) / float64(max(1, g.found)) }
func (g *grade) recall() float64    { return float64(g.right) / float64(max(1, g.wanted)) }

// measure grades a world and lists what is wrong with it.
func measure(t testing.TB, r resolve.Resolver, w *world) (g grade, wrong []string) {
	t.Helper()
	got, err := r.Resolve(t.Context(), w.mentioned)
	if err != nil {
		t.Fatal(err)
	}
	group := map[string]int{}
	for i, members := range got.Groups {
		for _, id := range members {
			group[id] = i + 1
		}
	}
	g.mentions = len(w.who)
	together := func(i, j int) bool {
		a := group[w.mentioned[i].ID]
		return i == j || a != 0 && a == group[w.mentioned[j].ID]
	}
	for i := range w.who {
		both, mine, same := 0, 0, 0
		for j := range w.who {
			is, found := w.who[i] == w.who[j], together(i, j)
			if is && found {
				both++
			}
			if found {
				mine++
			}
			if is {
				same++
			}
			if j <= i {
				continue
			}
			hard := !is && confusing(w.mentioned[i].Name, w.mentioned[j].Name)
			if hard {
				g.hard++
			}
			switch {
			case is && found:
				g.right, g.found, g.wanted = g.right+1, g.found+1, g.wanted+1
			case is:
				g.wanted++
				wrong = append(wrong, fmt.Sprintf("apart: %s / %s", w.mentioned[i].Name, w.mentioned[j].Name))
			case found:
				g.found++
				if hard {
					g.fell++
				}
				wrong = append(wrong, fmt.Sprintf("TOGETHER: %s / %s", w.mentioned[i].Name, w.mentioned[j].Name))
			}
		}
		g.bPrecision += float64(both) / float64(mine)
		g.bRecall += float64(both) / float64(same)
	}
	return g, wrong
}

func confusing(a, b string) bool {
	x, y := strings.Fields(strings.ToLower(a)), strings.Fields(strings.ToLower(b))
	if slices.ContainsFunc(x, func(w string) bool { return len(w) > 2 && slices.Contains(y, w) }) {
		return true
	}
	common := 0
	s, u := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	for _, r := range s {
		if i := slices.Index(u, r); i >= 0 {
			common++
			u = slices.Delete(slices.Clone(u), i, i+1)
		}
	}
	return float64(common) >= .8*float64(max(len(s), len([]rune(b))))
}

// figures prints the table of a half and returns its sum.
func figures(t testing.TB, r resolve.Resolver, half string, tell bool) (sum grade) {
	t.Helper()
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, g grade) {
		n := float64(g.mentions)
		fmt.Fprintf(table, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%d\t%d\t\n", name, g.mentions, g.precision(), g.recall(), g.bPrecision/n, g.bRecall/n, g.hard, g.fell)
	}
	fmt.Fprintln(table, "world\tmentions\tprecision\trecall\tB³ precision\tB³ recall\thard\tfell for\t")
	for _, w := range worlds(t, half) {
		g, wrong := measure(t, r, &w)
		line(w.name, g)
		sum.add(g)
		if tell {
			for _, s := range wrong {
				t.Log(w.name, s)
			}
		}
	}
	line(half, sum)
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	return sum
}

func TestQualityOnTheTunedHalf(t *testing.T) {
	t.Parallel()
	good(t, figures(t, resolve.Resolver{}, "tuned", true))
	good(t, figures(t, withVectors(), "tuned", true))
}

// The half nobody looked at while the rules were made: what goes wrong in it is not listed.
func TestQualityOnTheHeldOutHalf(t *testing.T) {
	t.Parallel()
	good(t, figures(t, resolve.Resolver{}, "heldout", false))
	good(t, figures(t, withVectors(), "heldout", false))
}

// withVectors is a resolver as functions make it.
func withVectors() resolve.Resolver { return resolve.Resolver{Embed: new(embed.Static).EmbedDocuments} }

// Without a word of what they are mentioned in, and with what somebody else is mentioned in, fewer are found and none the
// more wrongly.
func TestQualityWithoutContextsAndWithWrongOnes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(all []resolve.Mentioned){
		"without": func(all []resolve.Mentioned) {
			for i := range all {
				all[i].Contexts = nil
			}
		},
		"wrong": func(all []resolve.Mentioned) {
			first := all[0].Contexts
			for i := range all[1:] {
				all[i].Contexts = all[i+1].Contexts
			}
			all[len(all)-1].Contexts = first
		},
	} {
		var sum grade
		for _, half := range []string{"tuned", "heldout"} {
			for _, w := range worlds(t, half) {
				change(w.mentioned)
				g, _ := measure(t, resolve.Resolver{}, &w)
				sum.add(g)
			}
		}
		n := float64(sum.mentions)
		t.Logf("%s contexts: precision %.3f, recall %.3f, B-cubed %.3f and %.3f, fell for %d of %d", name, sum.precision(), sum.recall(), sum.bPrecision/n, sum.bRecall/n, sum.fell, sum.hard)
		if sum.precision() < .95 {
			t.Errorf("%s contexts: precision %.3f", name, sum.precision())
		}
	}
}

func good(t *testing.T, g grade) {
	t.Helper()
	n := float64(g.mentions)
	for _, f := range []struct {
		name string
		got  float64
		want float64
	}{
		{"precision", g.precision(), .95}, {"recall", g.recall(), .85}, {"B-cubed precision", g.bPrecision / n, .95}, {"B-cubed recall", g.bRecall / n, .85},
	} {
		if f.got < f.want {
			t.Errorf("%s %.3f, want at least %.2f", f.name, f.got, f.want)
		}
	}
	if g.mentions < 200 || g.hard < 100 {
		t.Errorf("%d mentions and %d hard pairs are too few to tell", g.mentions, g.hard)
	}
}

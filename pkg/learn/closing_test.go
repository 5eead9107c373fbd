package learn_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// pair is two statements that are told one after the other.
type pair struct {
	line          string
	first, second told
}

// told is a statement, who told it, and how long after the first.
type told struct {
	knowledge.Statement
	user  string
	after time.Duration
}

// readTold reads "Ann; lives_in; Paris; from=2020-01-01".
func readTold(t *testing.T, text string) told {
	t.Helper()
	parts := strings.Split(text, ";")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	s := told{Statement: statement(parts[0], parts[1], parts[2]), after: 24 * time.Hour}
	day := func(text string) *time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return &d
	}
	for _, more := range parts[3:] {
		key, value, _ := strings.Cut(more, "=")
		switch key {
		case "type":
			s.Object.Type = value
		case "from":
			s.From = day(value)
		case "to":
			s.To = day(value)
		case "conf":
			s.Confidence, _ = strconv.ParseFloat(value, 64)
		case "user":
			s.user = value
		case "not":
			s.Negated = true
		case "value":
			s.Literal = true
		case "told":
			days, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			s.after = time.Duration(days) * 24 * time.Hour
		default:
			t.Fatalf("%q in %q", more, text)
		}
	}
	return s
}

func readPairs(t *testing.T, file string) (pairs []pair) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		first, second, both := strings.Cut(line, "|")
		if !both {
			t.Fatal(line)
		}
		pairs = append(pairs, pair{line, readTold(t, first), readTold(t, second)})
	}
	return pairs
}

// closes reports whether the second of the pair ends the first.
func (w *world) closes(t *testing.T, p pair) bool {
	t.Helper()
	p.first.after = 0
	for _, s := range []told{p.first, p.second} {
		at := w.now.Add(s.after)
		w.learnt(t, w.tell(t, memory.Memory{Content: "so they say", UserID: s.user, OccurredAt: &at}), s.Statement)
	}
	subject := knowledge.ThingID(scope, p.first.Subject.Name)
	page, err := w.facts.List(t.Context(), scope, knowledge.FactQuery{Entities: []string{subject}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Facts {
		f := &page.Facts[i]
		if f.UserID == p.first.user && f.Subject.ID == subject && f.Object.Name == p.first.Object.Name && f.Negated == p.first.Negated {
			return f.ClosedBy != ""
		}
	}
	t.Fatalf("%s: the first is not known: %v", p.line, page.Facts)
	return false
}

var (
	firstNames = strings.Fields("Ann Bob Carol Dana Eve Frank Grace Heidi Ivan Judy Karl Laura Mallory Nina Oscar Peggy Rupert Sybil Trent Victor")
	lastNames  = strings.Fields("Smith Jones Miller Lopez Kowalski Okafor Tanaka Novak Silva Larsen Moreau Rossi")
	cities     = strings.Fields("Berlin Paris Oslo Vienna Lisbon Madrid Dublin Prague Warsaw Athens Toronto Sydney Nairobi Santiago Helsinki")
	companies  = strings.Fields("Acme Globex Initech Umbrella Hooli Vandelay Stark Wayne Wonka Cyberdyne Tyrell Soylent")
	jobs       = strings.Fields("engineer teacher nurse lawyer plumber painter pilot baker carpenter surgeon")
	hobbies    = strings.Fields("tea chess rowing opera climbing jazz pottery sailing cycling karaoke")
	values     = map[string][]string{"lives_in": cities, "works_at": companies, "job_title": jobs, "married_to": strings.Fields("Alex Robin Kim Sasha Jamie Morgan Quinn Riley"), "favorite_color": {"red", "blue", "green", "grey"}}
	many       = strings.Fields("likes owns visited knows speaks member_of interested_in studied played recommended dislikes has_friend")
	ones       = strings.Fields("lives_in works_at job_title married_to favorite_color")
)

func pick(r *rand.Rand, of []string) string { return of[r.IntN(len(of))] }

// two picks two that differ.
func two(r *rand.Rand, of []string) (a, b string) {
	a, b = pick(r, of), pick(r, of)
	for a == b {
		b = pick(r, of)
	}
	return a, b
}

// misspell swaps two neighbouring letters, or leaves one out.
func misspell(r *rand.Rand, name string) string {
	at := 1 + r.IntN(len(name)-2)
	if r.IntN(2) == 0 {
		return name[:at] + name[at+1:]
	}
	return name[:at] + name[at+1:at+2] + name[at:at+1] + name[at+2:]
}

// unrelated draws a pair that says nothing against each other.
func unrelated(r *rand.Rand) (first, second string) {
	name, one := pick(r, firstNames), pick(r, ones)
	a, b := two(r, values[one])
	line := func(parts ...string) string { return strings.Join(parts, "; ") }
	switch r.IntN(9) {
	case 0: // two of one first name
		m, n := two(r, lastNames)
		return line(name+" "+m, one, a), line(name+" "+n, one, b)
	case 1:
		relation := pick(r, many)
		a, b := two(r, hobbies)
		return line(name, relation, a), line(name, relation, b)
	case 2: // another relation
		other, _ := two(r, ones)
		for other == one {
			other = pick(r, ones)
		}
		return line(name, one, a), line(name, other, pick(r, values[other]))
	case 3: // spelt otherwise
		long := pick(r, []string{"Berlin", "Vienna", "Lisbon", "Madrid", "Helsinki", "Santiago", "Toronto"})
		return line(name, "lives_in", long), line(name, "lives_in", misspell(r, long))
	case 4:
		company := pick(r, companies)
		return line(name, "works_at", company), line(name, "works_at", company+pick(r, []string{" Inc.", " GmbH", " Ltd", " Research", " Corp", " Berlin"}))
	case 5: // supposed
		return line(name, one, a), line(name, one, b, fmt.Sprintf("conf=.%d", 1+r.IntN(4)))
	case 6: // over
		return line(name, one, a, "from=2020-01-01"), line(name, one, b, fmt.Sprintf("from=20%02d-01-01", 1+r.IntN(18)))
	case 7: // told late
		return line(name, one, a), line(name, one, b, fmt.Sprint("told=-", 1+r.IntN(900)))
	default: // denied is something else
		return line(name, one, a), line(name, one, b, "not")
	}
}

// contradiction draws a pair of which the second ends the first.
func contradiction(r *rand.Rand) (first, second string) {
	name, one := pick(r, firstNames), pick(r, ones)
	a, b := two(r, values[one])
	line := func(parts ...string) string { return strings.Join(parts, "; ") }
	switch r.IntN(4) {
	case 0:
		relation, object := pick(r, many), pick(r, hobbies)
		return line(name, relation, object), line(name, relation, object, "not")
	case 1:
		return line(name, one, a, fmt.Sprintf("from=20%02d-01-01", 1+r.IntN(10))), line(name, one, b, fmt.Sprintf("from=20%02d-01-01", 12+r.IntN(8)))
	default:
		return line(name, one, a), line(name, one, b)
	}
}

// TestFewUnrelatedFactsAreEnded holds the rules to at most 1 % of 500 pairs; what they find of what contradicts is reported, and
// held to what it was.
func TestFewUnrelatedFactsAreEnded(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 500))
	draw := func(pairs []pair, n int, draw func(*rand.Rand) (string, string)) []pair {
		for len(pairs) < n {
			first, second := draw(r)
			pairs = append(pairs, pair{first + " | " + second, readTold(t, first), readTold(t, second)})
		}
		return pairs
	}
	written := readPairs(t, "testdata/unrelated.txt")
	if len(written) < 60 {
		t.Errorf("%d are written by hand", len(written))
	}
	pairs := draw(written, 500, unrelated)
	wrong := 0
	for _, p := range pairs {
		if newWorld(t).closes(t, p) {
			wrong++
			t.Logf("ended: %s", p.line)
		}
	}
	t.Logf("%d of %d unrelated pairs ended a fact (%.1f %%), %d of them written by hand", wrong, len(pairs), 100*float64(wrong)/float64(len(pairs)), len(written))
	if wrong > len(pairs)/100 {
		t.Errorf("%d false closings", wrong)
	}

	pairs = draw(readPairs(t, "testdata/contradictions.txt"), 200, contradiction)
	found := 0
	for _, p := range pairs {
		if newWorld(t).closes(t, p) {
			found++
		} else {
			t.Logf("missed: %s", p.line)
		}
	}
	t.Logf("%d of %d contradictions found (%.1f %%)", found, len(pairs), 100*float64(found)/float64(len(pairs)))
	if found < len(pairs)*95/100 {
		t.Errorf("%d of %d found", found, len(pairs))
	}
}

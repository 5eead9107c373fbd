package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestAnImportSaysWhatBecameOfEveryLine(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	mustPut(t, s, ingest.Draft{Content: "known"})
	mustPut(t, s, ingest.Draft{Content: "old", ExternalID: "e"})
	input := strings.Join([]string{
		`{"content":"one"}`,
		``,
		"  \t\r",
		`{"content":"two","colour":"red"}` + "\r",
		`{"content":"known"}`,
		`{"content":"` + strings.Repeat("x", ingest.MaxLine) + `"}`,
		`{"content":"new","external_id":"e"}`,
		`{"content":"half`,
		`{"content":"bad","importance":3}`,
		`{"content":"a\u0000b"}`,
		`[1]`,
		`{"content":"seven","id":"nope"}`,
		`{"content":"last"}`,
	}, "\n")
	got, err := s.Import(t.Context(), here, iotest.OneByteReader(strings.NewReader(input)), memory.Why{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := ingest.Summary{Lines: 11, Created: 2, Deduplicated: 1, Updated: 1, Refused: 7, Errors: []ingest.LineError{
		{Line: 4, Field: "colour", Reason: "colour is not a known key"},
		{Line: 6, Reason: "the line is over 4194304 bytes"},
		{Line: 8, Field: "content", Reason: "content is not valid JSON near byte 16"},
		{Line: 9, Field: "importance", Reason: "importance must be between 0 and 1"},
		{Line: 10, Field: "content", Reason: "content must not contain NUL characters"},
		{Line: 11, Reason: "the line must be one JSON object"},
		{Line: 12, Field: "id", Reason: "id must be a UUID"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestALineAtTheLimitIsTaken(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	frame := len(`{"content":"x","metadata":{}}`)
	line := `{"content":"x","metadata":{` + strings.Repeat(" ", ingest.MaxLine-frame-1) + "}}\n"
	for _, row := range []struct {
		pad     string
		refused int
	}{{"", 0}, {" ", 0}, {"  ", 1}} {
		got, err := s.Import(t.Context(), here, strings.NewReader(row.pad+line), memory.Why{}, nil)
		if err != nil || got.Refused != row.refused {
			t.Errorf("a line of %d bytes: %+v, %v", len(row.pad+line), got, err)
		}
	}
}

// stream makes n lines as they are read and never holds more than one.
type stream struct {
	next, n int
	left    []byte
	line    func(int) string
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		if s.next == s.n {
			return 0, io.EOF
		}
		s.left = []byte(s.line(s.next) + "\n")
		s.next++
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

func TestRefusedLinesBeyondAThousandAreStillCounted(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	got, err := s.Import(t.Context(), here, &stream{n: 2500, line: func(int) string { return `{}` }}, memory.Why{}, nil)
	if err != nil || got.Refused != 2500 || len(got.Errors) != 1000 {
		t.Errorf("refused %d, reported %d, %v", got.Refused, len(got.Errors), err)
	}
}

func TestAnImportReportsProgressAndEmbedsBySlice(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	var heard []int
	_, err := s.Import(t.Context(), here, &stream{n: 1234, line: func(i int) string { return fmt.Sprintf(`{"content":"m %d"}`, i) }},
		memory.Why{}, func(sum ingest.Summary) { heard = append(heard, sum.Created) })
	if want := []int{500, 1000, 1234}; err != nil || !reflect.DeepEqual(heard, want) {
		t.Errorf("heard %v, %v; want %v", heard, err, want)
	}
	if calls := embedder.calls.Load(); calls != 3 {
		t.Errorf("embedded in %d calls, want 3", calls)
	}
}

func TestAnInterruptedImportKeepsWhatItCountsAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	line := func(i int) string { return fmt.Sprintf(`{"content":"m %d"}`, i) }
	t.Run("when the stream breaks", func(t *testing.T) {
		t.Parallel()
		s, _ := world(t)
		broken := io.MultiReader(&stream{n: 600, line: line}, strings.NewReader(`{"content":"half of a`), iotest.ErrReader(errors.New("reset")))
		got, err := s.Import(t.Context(), here, broken, memory.Why{}, nil)
		var interrupted *ingest.Interrupted
		if !errors.As(err, &interrupted) || fault.KindOf(err) != fault.Malformed || !reflect.DeepEqual(interrupted.Summary, got) {
			t.Fatalf("got %v, want an interruption with the summary", err)
		}
		if standing := len(everything(t, s, here)); standing != got.Created || got.Created != 500 {
			t.Errorf("%d stand, %d counted; want the 500 of the slice that was full", standing, got.Created)
		}
		again, err := s.Import(t.Context(), here, &stream{n: 600, line: line}, memory.Why{}, nil)
		if err != nil || again.Created != 100 || again.Deduplicated != 500 {
			t.Errorf("the repetition: %+v, %v", again, err)
		}
	})
	t.Run("when the store fails", func(t *testing.T) {
		t.Parallel()
		s, _ := world(t)
		writes := 0
		s.Store = failing{s.Store, &writes, 2}
		got, err := s.Import(t.Context(), here, &stream{n: 1200, line: line}, memory.Why{}, nil)
		if fault.KindOf(err) != fault.Unavailable || got.Created != 500 {
			t.Errorf("got %+v, %v; want unavailable after 500", got, err)
		}
		var told fault.Detailed
		if !errors.As(err, &told) || !reflect.DeepEqual(told.ProblemMembers()["summary"], got) {
			t.Errorf("the problem does not carry the summary: %v", err)
		}
	})
}

// A server ends the context of a request whose body stalls; the caller must hear of the body, not of the context.
func TestAnImportSaysWhyItsStreamEnded(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	silent := readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, fault.New(fault.Malformed, "the body fell silent")
	})
	_, err := s.Import(ctx, here, silent, memory.Why{}, nil)
	if fault.KindOf(err) != fault.Malformed || !strings.Contains(fault.Public(err), "the body fell silent") {
		t.Errorf("%v: %s", fault.KindOf(err), fault.Public(err))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAnExportCanBeImportedElsewhereAndSaysTheSame(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	cited := mustPut(t, s, ingest.Draft{
		Content: "Alice <moved> to Zürich & stayed.", Layer: memory.Semantic, Tags: []string{"a"}, Importance: ptr(0.25),
		Metadata: memory.Metadata{"n": []any{nil, true, "x"}}, Entities: []ingest.Mention{{Name: "Alice", Type: "person"}},
		OccurredAt: ptr(start.Add(-time.Hour)), ValidFrom: ptr(start), ValidTo: ptr(start.Add(time.Hour)), TTLSeconds: ptr(int64(3600)),
	})
	if _, _, err := s.Derive(t.Context(), here, derivation("e", insight(memory.Citation{MemoryID: cited.ID, End: 5}))); err != nil {
		t.Fatal(err)
	}
	seed(t, s, 1100)
	export := func(scope memory.Scope) string {
		var out bytes.Buffer
		n, err := s.Export(t.Context(), scope, memory.Filter{}, memory.View{}, &out)
		if err != nil || n != strings.Count(out.String(), "\n") {
			t.Fatalf("exported %d lines, %v", n, err)
		}
		return out.String()
	}
	mine := export(here)
	got, err := s.Import(t.Context(), there, strings.NewReader(mine), memory.Why{}, nil)
	if err != nil || got.Created != 1102 || got.Refused != 0 {
		t.Fatalf("imported %+v, %v", got, err)
	}
	if theirs := strings.ReplaceAll(export(there), "globex", "acme"); theirs != mine {
		t.Errorf("the copy differs from the original: %d and %d bytes", len(theirs), len(mine))
	}
	again, err := s.Import(t.Context(), here, strings.NewReader(mine), memory.Why{}, nil)
	if err != nil || again.Deduplicated != 1102 {
		t.Errorf("importing an export where it came from: %+v, %v; want nothing new", again, err)
	}
}

func TestAnImportedIDThatIsTakenIsReplaced(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	standing := mustPut(t, s, ingest.Draft{Content: "mine"})
	line := fmt.Sprintf(`{"id":%q,"content":"another"}`, standing.ID)
	got, err := s.Import(t.Context(), here, strings.NewReader(line), memory.Why{}, nil)
	if err != nil || got.Created != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	all := everything(t, s, here)
	if len(all) != 2 || all[0].Content != "mine" || all[1].ID == standing.ID {
		t.Errorf("got %+v", all)
	}
}

func TestTakenIDsDoNotMakeAnImportStartOver(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	var lines strings.Builder
	for i := range 500 {
		standing := mustPut(t, s, ingest.Draft{Content: fmt.Sprint("mine ", i)})
		fmt.Fprintf(&lines, "{\"id\":%q,\"content\":\"another %d\"}\n", standing.ID, i)
	}
	writes := 0
	s.Store = failing{Store: s.Store, writes: &writes, from: math.MaxInt}
	got, err := s.Import(t.Context(), here, strings.NewReader(lines.String()), memory.Why{}, nil)
	if err != nil || got.Created != 500 || writes != 1 {
		t.Errorf("got %+v after %d transactions, %v; want one", got, writes, err)
	}
}

func TestAnExportTakesOnlyWhatMatches(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	seed(t, s, 10)
	n, err := s.Export(t.Context(), here, memory.Filter{Tags: []string{"even"}}, memory.View{}, io.Discard)
	if err != nil || n != 5 {
		t.Errorf("exported %d, %v; want 5", n, err)
	}
	_, err = s.Export(t.Context(), here, memory.Filter{Layers: []memory.Layer{"x"}}, memory.View{}, io.Discard)
	wantFault(t, err, fault.Invalid, "query.layer[0]")
}

func TestAnImportHoldsNoMoreThanASlice(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	stored, ahead := 0, 0
	input := &stream{n: 5000, line: func(i int) string {
		ahead = max(ahead, i-stored)
		return fmt.Sprintf(`{"content":"memory %d","source":%q}`, i, strings.Repeat("x", 200))
	}}
	_, err := s.Import(t.Context(), here, input, memory.Why{}, func(sum ingest.Summary) { stored = sum.Lines })
	if limit := 500 + (64<<10)/200; err != nil || ahead > limit {
		t.Errorf("read %d lines ahead of the store, %v; want at most %d", ahead, err, limit)
	}
}

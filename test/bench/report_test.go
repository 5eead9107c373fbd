package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSubjectAndBaselineAreMeasuredInTurns(t *testing.T) {
	t.Parallel()
	var order []string
	side := func(name string, values ...float64) side {
		return func(block int) (float64, error) {
			order = append(order, name)
			return values[block], nil
		}
	}
	got, err := inTurns(t.Context(), 3, side("a", 9, 2, 3), side("b", 3, 2, 1))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "b", "a", "a", "b"}; !reflect.DeepEqual(order, want) {
		t.Errorf("in the order %v, want %v", order, want)
	}
	f := compared("it", 10, perSecond, got, "other")
	if want := (&baseline{What: "other", Value: 2, Ratio: 1.5, Low: 1, High: 3}); f.Value != 3 || !reflect.DeepEqual(f.Baseline, want) {
		t.Errorf("%v over %+v, want 3 over %+v", f.Value, f.Baseline, want)
	}
}

func TestTurnsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	called := 0
	_, err := inTurns(ctx, 3, func(int) (float64, error) { called++; cancel(); return 1, nil }, func(int) (float64, error) { called++; return 1, nil })
	if !errors.Is(err, context.Canceled) || called != 1 {
		t.Errorf("%d calls, %v", called, err)
	}
}

func TestFiguresSayWhatTheyMissAndHowTheyGrow(t *testing.T) {
	t.Parallel()
	p := &part{}
	p.add(took("search", 1000, sample{2 * time.Millisecond}).against("bare", 1).atMost(2))
	p.add(took("search", 10_000, sample{3 * time.Millisecond}).against("bare", 1).atMost(2))
	p.add(rate("import", 10_000, 50, time.Second).against("copy", 100).atLeast(.5))
	p.add(rate("import", 10_000, 40, time.Second).faster(41))
	p.add(took("start", 0, sample{time.Millisecond}).within(time.Millisecond))
	var verdicts []string
	for _, f := range p.Figures {
		verdicts = append(verdicts, f.verdict())
	}
	if want := []string{"ok", "MISSED", "ok", "MISSED", "ok"}; !reflect.DeepEqual(verdicts, want) {
		t.Errorf("verdicts %v, want %v", verdicts, want)
	}
	if got := p.Figures[1].Growth; got != 1.5 {
		t.Errorf("growth %v, want 1.5", got)
	}
	r := report{Parts: []*part{p}}
	if r.missed() != 2 {
		t.Errorf("%d are missed, want 2", r.missed())
	}
	var table, object bytes.Buffer
	if err := errors.Join(r.markdown(&table), r.json(&object)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| search | 10000 | 3.00 ms | 3.00 ms | 1.50 | bare 1.00 ms | 3.00 | ratio ≤ 2 | MISSED |"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no line %q in\n%s", want, &table)
		}
	}
	if !strings.Contains(object.String(), `"missed": true`) {
		t.Errorf("no miss in %s", &object)
	}
}

func TestAReportIsWrittenBetweenTheMarksOfItsDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &report{Parts: []*part{{Name: "A store"}}}
	write("before\n" + beginMark + "old\n" + endMark + "after\n")
	for range 2 { // the second time over itself
		if err := r.writeInto(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "before\n"+beginMark) || !strings.HasSuffix(text, endMark+"after\n") || strings.Contains(text, "old") || strings.Count(text, "### A store") != 1 {
		t.Errorf("it is\n%s", text)
	}
	write("no marks")
	if err := r.writeInto(path); err == nil {
		t.Error("a document without marks was written to")
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-store", "postgres", "-sizes", "100k,1k,10k,1k"})
	if err != nil || !reflect.DeepEqual(o.scopes, []int{1000, 10_000, 100_000}) || !reflect.DeepEqual(o.stores, []string{production}) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-store", "mysql"}, {"-sizes", "1"}, {"-sizes", "many"}, {"more"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

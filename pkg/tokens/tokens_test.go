package tokens_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/tokens"
)

// counts are texts and what the tokenizers themselves make of them, whichever makes more; package test/tokens compares
// with them on random ones.
var counts = map[string]int{
	"":                               0,
	"hello world":                    2,
	"I'll say it's Mira's: DON'T'VE": 13,
	"Internationalization of XMLHttpRequests": 5,
	"3.14159 or 2026-11-28T05:31:28Z":         19,
	"漢字かな交じり文と한국어":                            14,
	"  indented\n\n\tlines  \n":               6,
	"e\u0301te\u0301 ǅ ʰ Ⅷ":                   13,
	"👩‍👩‍👧 https://example.org/a/b?c=d//\n/x": 24,
	"not \xff UTF-8":                          5,
}

func TestCount(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	for s, want := range counts {
		if got := c.Count(s); got != want {
			t.Errorf("%q is %d tokens, counted %d", s, want, got)
		}
	}
}

func TestALongRunCountsAsItsBytes(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	if got := c.Count(strings.Repeat("a", 513)); got != 513 {
		t.Errorf("counted %d", got)
	}
	if got := c.Count(strings.Repeat("a", 512)); got >= 128 {
		t.Errorf("counted %d", got)
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	for s, n := range counts {
		for limit, want := range map[int]bool{-1: false, n - 1: false, n: true, n + 1: true} {
			if got := c.Fits(s, limit); got != want {
				t.Errorf("%q, %d tokens, fits into %d: %v", s, n, limit, got)
			}
		}
	}
}

func TestManyCountAtOnce(t *testing.T) {
	t.Parallel()
	var c tokens.Counter
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			if got := c.Count("hello world"); got != 2 {
				t.Errorf("counted %d", got)
			}
		})
	}
	running.Wait()
}

// BenchmarkFirst is the first count of a process, which reads the lists; BenchmarkCount is every other.
func BenchmarkFirst(b *testing.B) {
	for b.Loop() {
		var c tokens.Counter
		c.Count("hello world")
	}
}

func BenchmarkCount(b *testing.B) {
	var c tokens.Counter
	s := strings.Repeat("Mira: I broke my right wrist on Tuesday, six weeks in plaster, said Dr. Nowak.\n", 100)
	c.Count(s)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		c.Count(s)
	}
}

package embed_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
)

func TestCheckRefusesWhatMustNotBeStored(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		name string
		v    []float32
		want string
	}{
		{"a good vector", []float32{0, 1, 0}, ""},
		{"a short one", []float32{0, 1}, "vector has 2 dimensions, want 3"},
		{"a long one", []float32{0, 1, 0, 0}, "vector has 4 dimensions, want 3"},
		{"none", nil, "vector has 0 dimensions, want 3"},
		{"not a number", []float32{1, nan, 0}, "vector[1] is not a finite number"},
		{"an infinity", []float32{1, 0, inf}, "vector[2] is not a finite number"},
		{"zero", []float32{0, 0, 0}, "vector is zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := embed.Check(c.v, 3); err != nil {
				if got = err.Error(); fault.KindOf(err) != fault.Invalid {
					t.Errorf("kind %s, want invalid", fault.KindOf(err))
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		v, want []float32
		dim     int
	}{
		{"keeps the front at length 1", []float32{.3, .4, .5}, []float32{.6, .8}, 2},
		{"whole", []float32{0, -1}, []float32{0, -1}, 2},
		{"a front of zeros takes the largest value in", []float32{0, 0, .6, -.8}, []float32{0, -1}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			given := slices.Clone(c.v)
			got := embed.Shorten(c.v, c.dim)
			if !slices.EqualFunc(got, c.want, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if !slices.Equal(given, c.v) {
				t.Error("the argument changed")
			}
		})
	}
}

func TestBuiltInNamesWhatExists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, model, want string }{
		{"hash", "", ""},
		{"hash", "hash-384-v1", ""},
		{"openai", "", `embedding provider "openai" is unknown; this build has: static, hash`},
		{"", "", `embedding provider "" is unknown; this build has: static, hash`},
		{"hash", "all-minilm", `embedding model "all-minilm" is unknown; provider hash has: hash-384-v1`},
	} {
		got := ""
		if _, err := embed.BuiltIn(c.provider, c.model); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("BuiltIn(%q, %q): got %q, want %q", c.provider, c.model, got, c.want)
		}
	}
}

package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
)

// Tolerance is how far a figure may lie below the committed one.
const Tolerance = .01

// Baseline is figures once measured and committed, by set name.
type Baseline map[string]Committed

// Committed is what was measured of one set. Times are not committed: they are the machine's.
type Committed struct {
	Documents int                           `json:"documents"`
	Questions int                           `json:"queries"`
	Modes     map[string]map[string]float64 `json:"modes"` // by mode, then by figure, in four decimals
	Context   map[string]float64            `json:"context,omitempty"`
}

// Commit makes results a baseline.
func Commit(results []Result) Baseline {
	b := Baseline{}
	for i := range results {
		r := &results[i]
		c := Committed{Documents: r.Documents, Questions: r.Questions, Modes: map[string]map[string]float64{}}
		for _, way := range r.Ways {
			c.Modes[way.Mode] = figures(way.Figures.Shares())
		}
		if r.Context != nil {
			c.Context = figures(r.Context.Shares())
		}
		b[r.Name] = c
	}
	return b
}

// Shares are the figures that are held to a baseline.
func (c *ContextFigures) Shares() []Named {
	return []Named{{fmt.Sprintf("evidence_coverage@%d", c.MaxTokens), c.Coverage}, {"evidence_complete", c.Whole}}
}

func figures(named []Named) map[string]float64 {
	all := map[string]float64{}
	for _, f := range named {
		all[f.Name] = math.Round(f.Value*1e4) / 1e4
	}
	return all
}

// JSON is the baseline as it is committed.
func (b Baseline) JSON() []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(b) // maps of numbers always encode
	return out.Bytes()
}

// ReadBaseline reads a file that JSON wrote.
func ReadBaseline(path string) (Baseline, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "cannot read %s", path)
	}
	var b Baseline
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s: %v", path, err)
	}
	return b, nil
}

// Fall is a figure that is worse than the committed one by more than Tolerance.
type Fall struct {
	Set, Mode, Figure string
	Was, Is           float64
}

func (f Fall) String() string {
	verb := "fell"
	if f.Is > f.Was {
		verb = "rose"
	}
	return fmt.Sprintf("%s %s %s %s from %.4f to %.4f", f.Set, f.Mode, f.Figure, verb, f.Was, f.Is)
}

// Falls compares a result with what was committed of its set. known is false where nothing was. Invalid when the set
// is another one now: its figures mean something else.
func (b Baseline) Falls(r *Result) (falls []Fall, known bool, err error) {
	was, known := b[r.Name]
	if !known {
		return nil, false, nil
	}
	if was.Documents != r.Documents || was.Questions != r.Questions {
		return nil, true, fault.New(fault.Invalid, "%s has %d documents and %d questions; the committed figures are of %d and %d",
			r.Name, r.Documents, r.Questions, was.Documents, was.Questions)
	}
	for i := range r.Ways {
		falls = append(falls, fallen(r.Name, r.Ways[i].Mode, was.Modes[r.Ways[i].Mode], r.Ways[i].Figures.Shares())...)
	}
	if r.Context != nil {
		falls = append(falls, fallen(r.Name, "context", was.Context, r.Context.Shares())...)
	}
	return falls, true, nil
}

func fallen(set, mode string, was map[string]float64, is []Named) (falls []Fall) {
	for _, now := range is {
		before, measured := was[now.Name]
		loss := before - now.Value
		if strings.HasPrefix(now.Name, "zero_") { // the one figure of which less is better
			loss = -loss
		}
		if measured && loss > Tolerance+1e-4 { // the committed one is rounded
			falls = append(falls, Fall{set, mode, now.Name, before, now.Value})
		}
	}
	return falls
}

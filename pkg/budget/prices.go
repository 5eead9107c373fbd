package budget

import (
	_ "embed" // the price catalogue
	"encoding/json"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Price is what the models whose names start with Model cost, in dollars per million tokens. A price of the catalogue is
// for that model and its dated snapshots; one that a tenant set is for every name that starts so.
type Price struct {
	Model       string `json:"model" doc:"Prefix of model names; one that ends in a slash prices a whole provider."`
	Input       Cost   `json:"input_per_million"`
	Output      Cost   `json:"output_per_million"`
	CachedInput Cost   `json:"cached_input_per_million"`
	Source      string `json:"source" doc:"Who says so."`
	URL         string `json:"url" doc:"Where it says so; empty for a price the tenant set."`
	AsOf        Day    `json:"as_of" doc:"When the price was looked up or set: the day the source names, of an undated one the day it was read."`
	Own         bool   `json:"own" doc:"True when the tenant set it, false when it is the catalogue's."`
}

// Complete checks a price a tenant sets, and dates it.
func (p Price) Complete(today Day) (Price, error) {
	if err := checkName("path.model", p.Model, maxModel); err != nil {
		return Price{}, err
	}
	for _, rate := range []struct {
		location string
		cost     Cost
	}{
		{"body.input_per_million", p.Input}, {"body.output_per_million", p.Output},
		{"body.cached_input_per_million", p.CachedInput},
	} {
		if rate.cost < 0 {
			return Price{}, fault.BadField(rate.location, "must not be negative")
		}
	}
	p.Source, p.URL, p.AsOf, p.Own = "set by the tenant", "", today, true
	return p, nil
}

// cost prices a call, rounding up to the nano-dollar. It reports false when the sum cannot be told.
func (p Price) cost(in, cached, out int64) (Cost, bool) {
	var high, low uint64 // 2^63 * 2^40 three times over fits 128 bits with room to spare
	for _, part := range []struct {
		tokens int64
		rate   Cost
	}{{in - cached, p.Input}, {cached, p.CachedInput}, {out, p.Output}} {
		h, l := bits.Mul64(uint64(part.tokens), uint64(part.rate))
		var carry uint64
		low, carry = bits.Add64(low, l, 0)
		high, _ = bits.Add64(high, h, carry)
	}
	const million = 1_000_000
	low, carry := bits.Add64(low, million-1, 0)
	high += carry
	if high >= million {
		return 0, false
	}
	nanos, _ := bits.Div64(high, low, million)
	return Cost(nanos), nanos <= uint64(MaxCost)
}

// free reports whether nothing costs anything.
func (p Price) free() bool { return p.Input == 0 && p.Output == 0 && p.CachedInput == 0 }

// covers reports whether the price applies to the model. A free price applies to no name that climbs out of its
// prefix ("ollama/../gpt-4"): nothing is free by accident. A price of the catalogue applies to no other model that happens
// to be called alike: gpt-5 is a quarter of what gpt-5.5 costs.
func (p Price) covers(model string) bool {
	rest, starts := strings.CutPrefix(model, p.Model)
	switch {
	case !starts, p.free() && strings.Contains(model, ".."):
		return false
	case p.Own, strings.HasSuffix(p.Model, "/"), strings.HasSuffix(p.Model, "-"):
		return true
	}
	return isSnapshot(rest)
}

// isSnapshot reports whether what follows a model's name names the same model as of a day, or as of today: "",
// "-2024-07-18", "-20250929", "-1106", "-001", "-08-2024", "-preview-09-2025", "-latest", "@20250929". A single digit, or two
// of them alone, is the number of another version.
func isSnapshot(rest string) bool {
	if rest == "" {
		return true
	}
	if !strings.ContainsRune("-@:", rune(rest[0])) {
		return false
	}
	digits, dated := 0, false
	for part := range strings.FieldsFuncSeq(rest, func(c rune) bool { return strings.ContainsRune("-@:", c) }) {
		switch {
		case part == "latest", part == "preview", part == "exp", part == "experimental":
		case digitsAt(part) < len(part) || len(part) < 2:
			return false
		default:
			digits, dated = digits+len(part), true
		}
	}
	return !dated || digits > 2
}

// Pricelist is a set of prices, sorted by model, one per model.
type Pricelist []Price

//go:embed prices.json
var pricesJSON []byte

var catalogue = sync.OnceValue(func() Pricelist {
	var file struct{ Prices Pricelist }
	if err := json.Unmarshal(pricesJSON, &file); err != nil {
		panic("budget: prices.json: " + err.Error()) // embedded, and read by a test
	}
	slices.SortFunc(file.Prices, byModel)
	return file.Prices
})

func byModel(a, b Price) int { return strings.Compare(a.Model, b.Model) }

// Prices returns the catalogue with a tenant's own prices in it; for one model the tenant's own stands. The list is
// shared and must not be changed.
func Prices(own []Price) Pricelist {
	if len(own) == 0 {
		return catalogue()
	}
	merged := slices.Clone(catalogue())
	for _, p := range own {
		i, found := slices.BinarySearchFunc(merged, p, byModel)
		if found {
			merged[i] = p
		} else {
			merged = slices.Insert(merged, i, p)
		}
	}
	return merged
}

// Older returns those of the catalogue's prices that were looked up so long before now that somebody should look again.
// What is free is so by where it is computed, and does not age.
func (l Pricelist) Older(than time.Duration, now time.Time) Pricelist {
	older := Pricelist{}
	for _, p := range l {
		if !p.Own && !p.free() && now.Sub(p.AsOf.start()) > than {
			older = append(older, p)
		}
	}
	return older
}

// Find returns the price of a model by the longest prefix of its name, and true; or the dearest known rate and false
// for a model nobody knows. A price of the whole provider ("ollama/") comes before the catalogue's price of a model
// of that name elsewhere, but not before a price the tenant set.
func (l Pricelist) Find(provider, model string) (Price, bool) {
	model = strings.TrimPrefix(model, "models/") // as the Gemini API writes them
	byName, found := l.longest(model)
	if provider != "" && !(found && byName.Own) {
		if qualified, ok := l.longest(provider + "/" + model); ok && strings.HasPrefix(qualified.Model, provider+"/") {
			return qualified, true
		}
	}
	if found {
		return byName, true
	}
	return l.dearest(), false
}

func (l Pricelist) longest(model string) (Price, bool) {
	best, found := Price{}, false
	for _, p := range l {
		if len(p.Model) >= len(best.Model) && p.covers(model) {
			best, found = p, true
		}
	}
	return best, found
}

// dearest is the highest rate of every kind; without a known discount cached input costs as much as any.
func (l Pricelist) dearest() Price {
	dearest := Price{Source: "dearest known rate"}
	for _, p := range l {
		dearest.Input, dearest.Output = max(dearest.Input, p.Input, p.CachedInput), max(dearest.Output, p.Output)
	}
	dearest.CachedInput = dearest.Input
	return dearest
}

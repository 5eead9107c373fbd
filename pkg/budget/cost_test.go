package budget_test

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
)

func TestParseUSDReadsEveryDigit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]budget.Cost{
		"0": 0, "-0": 0, "0.000": 0, "0e99999999999": 0, "376.55": 376_550_000_000, "10.00": 10_000_000_000, "1e2": 100_000_000_000,
		"1.5E+1": 15_000_000_000, "0.000000001": 1, "1e-9": 1, "1000e-12": 1, "0.0000000010": 1, "0.1": 100_000_000,
		"9223372036.854775807": math.MaxInt64, "123456789.123456789": 123456789_123456789,
	} {
		if got, err := budget.ParseUSD(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestParseUSDRefusesWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "-", "-5", "-0.000000001", "-1e-99999999999", "NaN", "nan", "Infinity", "-Inf", "1e308", "1e99999999999", "1e-30", "1e-99999999999",
		"0.0000000001", "9223372036.854775808", "9223372037", "99999999999999999999", "10,00", "1_000", "0x10", "05", ".5",
		"5.", "+5", "1e", "1e+", " 1", "1 ", "\"1\"", "null", "１", "1\x00",
	} {
		if got, err := budget.ParseUSD(text); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: got %d, %v; want an Invalid fault", text, got, err)
		}
	}
}

func TestCostInJSONIsANumberWithTheFewestDecimals(t *testing.T) {
	t.Parallel()
	for cost, want := range map[budget.Cost]string{
		376_550_000_000: "376.55", 0: "0", 1: "0.000000001", 20 * budget.USD: "20", 100: "0.0000001",
		budget.MaxCost: "9223372036.854775807",
	} {
		if got, err := json.Marshal(cost); err != nil || string(got) != want {
			t.Errorf("%d: got %s, %v; want %s", int64(cost), got, err, want)
		}
	}
	var from struct{ A, B *budget.Cost }
	if err := json.Unmarshal([]byte(`{"A":0.1,"B":null}`), &from); err != nil || *from.A != 100_000_000 || from.B != nil {
		t.Errorf("got %+v, %v", from, err)
	}
	for _, wrong := range []string{`"0.1"`, `-1`, `true`, `{}`, `1e308`} {
		var c budget.Cost
		if err := json.Unmarshal([]byte(wrong), &c); err == nil {
			t.Errorf("%s was read as %v", wrong, c)
		}
	}
	for percent, want := range map[budget.Percent]string{247: "24.7", 1000: "100", 0: "0", 5: "0.5", math.MaxInt64: "922337203685477580.7"} {
		var back budget.Percent
		got, err := json.Marshal(percent)
		if err != nil || string(got) != want || json.Unmarshal(got, &back) != nil || back != percent {
			t.Errorf("%d tenths: got %s, read back as %d, %v; want %s", int64(percent), got, int64(back), err, want)
		}
	}
}

func TestEveryCostSurvivesItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cost := budget.Cost(rapid.Int64Range(0, math.MaxInt64).Draw(rt, "cost"))
		text, err := json.Marshal(cost)
		if err != nil {
			rt.Fatal(err)
		}
		var back budget.Cost
		if err := json.Unmarshal(text, &back); err != nil || back != cost {
			rt.Fatalf("%s came back as %d, %v", text, int64(back), err)
		}
	})
}

func FuzzParseUSD(f *testing.F) {
	for _, seed := range []string{"376.55", "1e-9", "-0", "1e308", "0.0000000001", "9223372036.854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cost, err := budget.ParseUSD(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) || cost < 0 {
			t.Fatalf("%q was read as %d", text, int64(cost))
		}
		if again, err := budget.ParseUSD(cost.String()); err != nil || again != cost {
			t.Fatalf("%q is %d, whose text %s is %d, %v", text, int64(cost), cost, int64(again), err)
		}
	})
}

package budget

import (
	"bytes"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
)

// Cost is an amount of US dollars in nano-dollars (1e-9 USD). It is never negative where it comes from outside.
// In JSON it is a number of dollars, written and read digit by digit: 376.55 is exactly 376.55.
type Cost int64

// USD is one dollar.
const USD Cost = 1_000_000_000

// MaxCost is the largest amount that can be told, about 9.2 billion dollars.
const MaxCost Cost = math.MaxInt64

// nanoDigits is how many decimals of a dollar a Cost holds.
const nanoDigits = 9

// ParseUSD reads a decimal number of dollars as JSON writes numbers, without going through a float. It refuses what
// is negative, not a number, finer than a nano-dollar or too large, with an Invalid fault that says which.
func ParseUSD(s string) (Cost, error) {
	if !isNumber(s) {
		return 0, fault.New(fault.Invalid, "must be a number of US dollars")
	}
	if s[0] == '-' && strings.ContainsAny(mantissa(s), "123456789") {
		return 0, fault.New(fault.Invalid, "must not be negative")
	}
	digits, exponent, ok := decimal(s)
	if !ok {
		return 0, fault.New(fault.Invalid, "must be at most %s US dollars", MaxCost)
	}
	shift := exponent + nanoDigits // of digits, to make them nano-dollars
	switch {
	case digits == "":
		return 0, nil
	case shift < 0:
		return 0, fault.New(fault.Invalid, "must have at most %d decimals: a nano-dollar is the smallest amount", nanoDigits)
	case len(digits)+shift > 19:
		return 0, fault.New(fault.Invalid, "must be at most %s US dollars", MaxCost)
	}
	nanos, err := strconv.ParseInt(digits+strings.Repeat("0", shift), 10, 64)
	if err != nil {
		return 0, fault.New(fault.Invalid, "must be at most %s US dollars", MaxCost)
	}
	return Cost(nanos), nil
}

// mantissa is the part of a number before its exponent.
func mantissa(s string) string {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i]
	}
	return s
}

// decimal splits a JSON number into its significant digits, without zeros at either end, and the power of ten that
// stands behind them. It reports false for an exponent no amount of money has.
func decimal(s string) (digits string, exponent int, ok bool) {
	m := mantissa(s)
	if len(m) < len(s) {
		e, err := strconv.Atoi(s[len(m)+1:])
		if err != nil && strings.Contains(s[len(m):], "-") {
			e = math.MinInt32 // smaller than anything
		} else if err != nil {
			e = math.MaxInt32
		}
		exponent = max(min(e, math.MaxInt32), math.MinInt32)
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(m, "-"), ".")
	exponent -= len(fraction)
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return "", 0, true
	}
	return trimmed, exponent, exponent < 100
}

// isNumber reports whether s is a number by the grammar of JSON.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digitsAt(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if strings.HasPrefix(s, ".") {
		n := digitsAt(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		n := digitsAt(s)
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return s == ""
}

// digitsAt counts the digits s begins with.
func digitsAt(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// String writes dollars with as many decimals as the amount needs: "376.55".
func (c Cost) String() string {
	sign, n := "", uint64(c)
	if c < 0 {
		sign, n = "-", -n
	}
	whole, fraction := n/uint64(USD), n%uint64(USD)
	s := sign + strconv.FormatUint(whole, 10)
	if fraction == 0 {
		return s
	}
	tail := strconv.FormatUint(fraction+uint64(USD), 10)[1:]
	return s + "." + strings.TrimRight(tail, "0")
}

// MarshalJSON writes a JSON number of dollars.
func (c Cost) MarshalJSON() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalJSON reads a JSON number of dollars from its digits. A string is refused, whatever it holds.
func (c *Cost) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil // as encoding/json has it: null changes nothing
	}
	parsed, err := ParseUSD(string(b))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// Decode reads a number of dollars, so that an environment variable can hold a Cost.
func (c *Cost) Decode(value string) error {
	parsed, err := ParseUSD(value)
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// Amount is what is asked for, held or spent.
type Amount struct {
	Cost   Cost
	Tokens int64
}

// plus adds two amounts that are not negative and reports false when the sum cannot be told.
func (a Amount) plus(b Amount) (Amount, bool) {
	cost, costFits := sum(int64(a.Cost), int64(b.Cost))
	tokens, tokensFit := sum(a.Tokens, b.Tokens)
	return Amount{Cost: Cost(cost), Tokens: tokens}, costFits && tokensFit
}

// minus takes b away; nothing goes below zero.
func (a Amount) minus(b Amount) Amount {
	return Amount{Cost: max(a.Cost-b.Cost, 0), Tokens: max(a.Tokens-b.Tokens, 0)}
}

// sum adds numbers that are not negative and reports false when they do not fit.
func sum(numbers ...int64) (int64, bool) {
	var total int64
	for _, n := range numbers {
		if n > math.MaxInt64-total {
			return math.MaxInt64, false
		}
		total += n
	}
	return total, true
}

// scaled returns c * numerator / denominator, rounded down, and at most MaxCost.
func (c Cost) scaled(numerator, denominator uint64) Cost {
	high, low := bits.Mul64(uint64(c), numerator)
	if high >= denominator {
		return MaxCost
	}
	quotient, _ := bits.Div64(high, low, denominator)
	return Cost(min(quotient, uint64(MaxCost)))
}

// atLeast reports whether part / whole >= ppm / 1e6, without rounding.
func atLeast(part, whole int64, ppm uint64) bool {
	leftHigh, leftLow := bits.Mul64(uint64(part), 1_000_000)
	rightHigh, rightLow := bits.Mul64(uint64(whole), ppm)
	return leftHigh > rightHigh || leftHigh == rightHigh && leftLow >= rightLow
}

// tenthsOfPercent is part / whole in tenths of a percent, rounded half up.
func tenthsOfPercent(part, whole int64) int64 {
	n := new(big.Int).Mul(big.NewInt(part), big.NewInt(2000))
	n.Add(n, big.NewInt(whole))
	n.Div(n, new(big.Int).Mul(big.NewInt(whole), big.NewInt(2)))
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

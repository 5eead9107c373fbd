package provider

import (
	"strconv"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
)

// Numbers is an array of numbers in an answer. Every one must be there: a null, which encoding/json would read as zero, or a
// number too large for 32 bits fails.
type Numbers []float32

// UnmarshalJSON implements json.Unmarshaler.
func (n *Numbers) UnmarshalJSON(text []byte) error {
	inner, opened := strings.CutPrefix(string(text), "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened || !closed {
		return fault.New(fault.Unavailable, "a vector is not an array of numbers")
	}
	numbers := make(Numbers, 0, strings.Count(inner, ",")+1)
	for number := range strings.SplitSeq(inner, ",") {
		number = strings.Trim(number, " \t\r\n")
		if number == "" && len(numbers) == 0 && !strings.Contains(inner, ",") {
			break // none
		}
		value, err := strconv.ParseFloat(number, 32)
		if err != nil {
			return fault.New(fault.Unavailable, "number %d of a vector is none", len(numbers))
		}
		numbers = append(numbers, float32(value))
	}
	*n = numbers
	return nil
}

package provider

import (
	"bytes"
	"encoding/json"
	"regexp"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// overBudget is a refusal by RAE's own budget, told by another of its functions. What it says of the budget goes on to
// who asked: the budget is that of the payer this process named, and llm.Rejected and llm.RefilledAt read it.
type overBudget struct {
	fault    *fault.Error
	degrades bool
	refilled time.Time
	members  map[string]any
}

var _ fault.Detailed = (*overBudget)(nil)

func (o *overBudget) Error() string                  { return o.fault.Error() }
func (o *overBudget) Unwrap() error                  { return o.fault }
func (o *overBudget) Degrades() bool                 { return o.degrades }
func (o *overBudget) RefilledAt() time.Time          { return o.refilled }
func (o *overBudget) ProblemMembers() map[string]any { return o.members }

// periods are what a period of a budget, or its level, is called; another one is not repeated.
var periods = regexp.MustCompile(`^[a-z_]{1,32}$`)

// overBudgetOf reads the refusal. Of its text only members that are a number, a time or one of few words are believed, so
// that whoever may answer there can put no words into RAE's mouth.
func overBudgetOf(name string, text []byte) *overBudget {
	o := &overBudget{fault: fault.New(fault.OverBudget, "the budget does not cover this (%s)", name), members: map[string]any{}}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // money keeps its digits
	var told map[string]any
	if decoder.Decode(&told) != nil {
		return o
	}
	for _, quantity := range []string{"limit", "usage", "reserved", "requested"} {
		if n, ok := told[quantity].(json.Number); ok {
			o.members[quantity] = n
		}
	}
	if period, ok := told["period"].(string); ok && periods.MatchString(period) {
		o.members["period"] = period
	}
	if level, ok := told["level"].(string); ok && periods.MatchString(level) {
		o.members["level"] = level
	}
	switch told["on_exhausted"] {
	case "reject", "degrade":
		o.members["on_exhausted"], o.degrades = told["on_exhausted"], told["on_exhausted"] == "degrade"
	}
	if at, ok := told["resets_at"].(string); ok {
		if resets, err := time.Parse(time.RFC3339, at); err == nil {
			o.refilled = resets.UTC()
			o.members["resets_at"] = o.refilled
		}
	}
	return o
}

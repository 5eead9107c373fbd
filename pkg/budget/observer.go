package budget

import (
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Outcome says how a call through a Guard went.
type Outcome string

const (
	Answered   Outcome = "ok"          // it was made, and what it cost is booked
	Failed     Outcome = "failed"      // it was made and failed; what it may have cost is booked
	OverBudget Outcome = "over_budget" // the budget refused it
	NotAsked   Outcome = "not_asked"   // the budget could not be asked, so it was not made
	Unbooked   Outcome = "unbooked"    // it was made, and what it cost could not be booked
)

// Outcomes are all there are.
func Outcomes() []Outcome { return []Outcome{Answered, Failed, OverBudget, NotAsked, Unbooked} }

// Observer is told what a Guard did, where it is done. It must not wait.
type Observer interface {
	// Called is told of each call, with what was booked for it; nil: nothing.
	Called(payer memory.Scope, c llm.Call, o Outcome, booked *Settlement)
	// Saved is told of each line of savings that was written down.
	Saved(payer memory.Scope, l *Line)
}

// unobserved is nobody.
type unobserved struct{}

func (unobserved) Called(memory.Scope, llm.Call, Outcome, *Settlement) {}
func (unobserved) Saved(memory.Scope, *Line)                           {}

package budget

import (
	"context"
	"errors"

	"github.com/rae-memory/rae/pkg/memory"
)

// Roster is the port of a ledger that knows whose budgets it keeps. Every ledger with a store of its own is one; over HTTP
// nobody may ask.
type Roster interface {
	// Budgeted lists up to limit (>= 1) scopes that set limits, or have held or spent something: those whose books were
	// open on the latest day first, those whose never were last, ties by tenant and project.
	Budgeted(ctx context.Context, limit int) ([]memory.Scope, error)
}

// Standings are how the budgets of up to most scopes stand, those that moved last first. whole reports whether these are all
// there are and all could be read before ctx ended; where they are not, the error says why, if it was not for there being
// more of them.
func Standings(ctx context.Context, ledger interface {
	Roster
	Statements
}, most int) (all []Status, whole bool, err error) {
	scopes, err := ledger.Budgeted(ctx, most+1)
	if err != nil {
		return nil, false, err
	}
	for _, scope := range scopes[:min(len(scopes), most)] {
		status, err := ledger.Current(ctx, scope)
		if err != nil {
			return all, false, errors.Join(err, ctx.Err())
		}
		all = append(all, status)
	}
	return all, len(scopes) <= most, nil
}

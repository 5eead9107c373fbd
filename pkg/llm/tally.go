package llm

import (
	"context"
	"sync"
)

// Bill is what calls of models came to.
type Bill struct {
	Calls     int // that were made, those that failed as well
	TokensIn  int
	TokensOut int
	NanoUSD   int64 // as it was booked: billionths of a US dollar
}

// Tally sums what the calls made with a context come to, for whoever has to tell what a piece of work cost. It may be added to
// by many at once.
type Tally struct {
	mu   sync.Mutex
	bill Bill
}

type tallyKey struct{}

// WithTally returns a context whose calls are summed, and the sum. What encloses it is not told of them.
func WithTally(ctx context.Context) (context.Context, *Tally) {
	tally := &Tally{}
	return context.WithValue(ctx, tallyKey{}, tally), tally
}

// TallyOf returns where the calls of ctx are summed, nil where nobody asks. A nil Tally takes what it is told.
func TallyOf(ctx context.Context) *Tally {
	tally, _ := ctx.Value(tallyKey{}).(*Tally)
	return tally
}

// Add adds to the sum.
func (t *Tally) Add(b Bill) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bill.Calls += b.Calls
	t.bill.TokensIn += b.TokensIn
	t.bill.TokensOut += b.TokensOut
	t.bill.NanoUSD += b.NanoUSD
}

// Sum is what was added so far.
func (t *Tally) Sum() Bill {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bill
}

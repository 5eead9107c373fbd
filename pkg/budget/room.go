package budget

import (
	"math"
	"math/bits"
)

// Room is by how much more an account may have been used, or used and held together, than it says, without anything that
// was decided by it turning out otherwise: who was admitted would still be, and nothing more would be announced. It is for
// an adapter that decides by accounts as it last saw them, and has the store check how far they have moved since.
type Room struct {
	Total Amount // used and held together
	Used  Amount
}

// Loosen begins to measure the room of the account: nothing has been decided by it.
func (a *Account) Loosen() {
	most := Amount{Cost: math.MaxInt64, Tokens: math.MaxInt64}
	a.Room = Room{Total: most, Used: most}
}

// narrow makes the amount, in the unit of the period, no more than most.
func (a *Amount) narrow(p Period, most int64) {
	if p == Daily || p == Monthly {
		a.Cost = min(a.Cost, Cost(most))
	} else {
		a.Tokens = min(a.Tokens, most)
	}
}

// admitted narrows the room to what the limits leave beside what is now held.
func (a *Account) admitted() {
	for _, p := range periods() {
		limit, limited := a.Limits.of(p)
		if !limited || !a.Enforced {
			limit = math.MaxInt64 // more cannot be counted
		}
		used, held := a.used(p)
		a.Room.Total.narrow(p, limit-used-held)
	}
}

// announced narrows the room to what is left before something has to be announced.
func (a *Account) announced() {
	for _, p := range periods() {
		used, held := a.used(p)
		a.Room.Total.narrow(p, math.MaxInt64-used-held)
		limit, limited := a.Limits.of(p)
		if !limited || !a.Enforced {
			continue
		}
		warning, exceeded := marks(p)
		switch told := a.usage(p).Told; {
		case told&warning == 0:
			a.Room.Used.narrow(p, max(share(limit, a.Limits.warningPPM()), 1)-1-used)
		case told&exceeded == 0:
			a.Room.Used.narrow(p, max(limit, 1)-1-used)
		}
	}
}

// letGo takes a hold off the account. Where it holds less, it says less than the truth, and has no room.
func (a *Account) letGo(hold Amount) {
	if a.Held.Cost < hold.Cost || a.Held.Tokens < hold.Tokens {
		a.Room.Total = Amount{Cost: math.MinInt64, Tokens: math.MinInt64}
	}
	a.Held = a.Held.minus(hold)
}

// share is the least part of the whole that is atLeast ppm of it, for at most a million ppm.
func share(whole int64, ppm uint64) int64 {
	high, low := bits.Mul64(uint64(whole), ppm)
	quotient, rest := bits.Div64(high, low, 1_000_000)
	if rest > 0 {
		quotient++
	}
	return int64(quotient)
}

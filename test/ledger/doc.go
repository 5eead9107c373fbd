// Package ledger proves the ledger of package budget on PostgreSQL with many processes that spend at once and are killed
// at random: it drives them, writes down what each of them called and heard, and checks what was written down.
//
// # What is driven
//
// [Run] starts processes of this binary, each with a pool of connections of its own on the same database, and many
// goroutines in each. A goroutine reserves, and then settles, settles for more than it held, settles again with the same
// or with other numbers, releases, abandons what it holds until its lease ends, comes late, or ends what another holds;
// it asks how the budget stands, repeats requests under their keys, gives up waiting, and names reservations of others.
// Processes are killed (SIGKILL) at random and replaced; a successor ends some of what its predecessor held. Scopes are
// of two kinds: hot ones, in which a hundred goroutines of all processes meet, and quiet ones with one goroutine of each
// process. Every few seconds everybody moves on to new scopes, so that a scope's history stays short enough to be
// searched. [Kills] kills one process after the other between reserve and settle.
//
// # What is checked, and how
//
// Before a call and after its answer a process writes a line to a file. A call without an answer, because its process
// was killed or its caller gave up, may have happened at any time after it began, or never; which of the two is told by
// the database in the end.
//
//   - [History.Linearizable]: there is one order of a scope's calls that the model in model.go, a ledger that does one
//     thing after the other, answers exactly as the ledger did, and in which no call comes before one that had been
//     answered when it was made. Every scope is checked, whole. An answer holds exact sums of random nano-dollars, and the
//     ledger's time where it tells one; the model takes no other. What the model knows: limits of day and month in
//     dollars, holds, leases by the ledger's clock, overruns, late settlements, conflicts, keys. What it does not: token
//     limits, limits that change, a tenant's limit over several projects, prices. Those are in package budgettest, one
//     call after the other.
//   - The search for that order is exponential, so search.go knows two things that a general checker does not: that a
//     call which changes nothing is in nobody's way, and where to look first: a trigger that [Run] adds to the database
//     writes down in which order reservations changed. An order that is found is verified by itself, so neither can hide
//     anything: where the hint leads nowhere the search goes on without it, and if that does not end within its effort
//     the scope counts as wrong. Quiet scopes are searched without hints, and their short histories given to porcupine
//     ([History.Porcupine]), which shares nothing with search.go but the model. Those of hot scopes it cannot decide.
//   - [History.Bound], which knows nothing of orders: at no observation do usage and holds exceed the limit by more than
//     the overruns that callers have settled.
//   - [Audit]: what the settlements add up to is what the books say, to the nano-dollar; every acknowledged call is in the
//     database and everything in the database was asked for; holds are the sum of live reservations; and when the longest
//     lease has ended, by a ledger that reads a later clock, nothing is held.
//
// All processes run on one machine, and that the ledger's clock is never ahead of theirs is part of what the model
// demands. It may be behind: those who share a transaction share the time at which it began. So a call may be refused for
// a hold whose lease has ended since then, which is the one thing that the model allows and an impatient reader of the
// port's contract would not; it is as long as a transaction, and never lets anybody spend more.
//
// The search is itself tested, on histories written by hand, right and wrong ones (check_test.go), and so is the whole:
// make teeth breaks the ledger in ways that the short form in this package's tests must notice. The long form is
// make soak.
package ledger

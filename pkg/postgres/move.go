package postgres

import (
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
)

// A transaction that begins with a memo decides by books that others may have written since. What it holds and books is
// sent as movements, and the database applies them only where the books are still near enough to what was gone by for
// every decision to stand (budget.Room). So processes that spend from one tenant's budgets wait for one another's commits,
// and never for a round trip to one another. Where that does not suffice, because somebody was refused or something is
// announced, the books must be exactly as remembered (booksStand).

// footing is an account as the database has it, and how much was booked in it, counted from anywhere.
type footing struct {
	account budget.Account
	spent   budget.Amount
}

// moved is the footing after what made it next. The database's may have moved further.
func (s *footing) moved(next *budget.Account) footing {
	return footing{*next, budget.Amount{
		Cost: s.spent.Cost + next.Month.Cost - s.account.Month.Cost, Tokens: s.spent.Tokens + next.Month.Tokens - s.account.Month.Tokens,
	}}
}

// movement is what moves in an account, held and spent, and the most that may be in it before, held and spent together, and
// spent: each of cost and of tokens.
type movement [8]int64

func (s *footing) movement(next *budget.Account) movement {
	own, a, room := s.moved(next), &s.account, &next.Room
	return movement{
		int64(next.Held.Cost - a.Held.Cost), next.Held.Tokens - a.Held.Tokens,
		int64(own.spent.Cost - s.spent.Cost), own.spent.Tokens - s.spent.Tokens,
		above(room.Total.Cost, a.Held.Cost, s.spent.Cost), above(room.Total.Tokens, a.Held.Tokens, s.spent.Tokens),
		above(room.Used.Cost, s.spent.Cost), above(room.Used.Tokens, s.spent.Tokens),
	}
}

// above is the room above what there is, none of which is negative; as much as can be counted where it is more.
func above[N ~int64](room N, there ...N) int64 {
	for _, n := range there {
		if room > math.MaxInt64-n {
			return math.MaxInt64
		}
		room += n
	}
	return int64(room)
}

const (
	// remembered holds where the tenant's ($1) row of books is of the terms ($2) and the day ($3) that a memo has, no lease
	// has ended, and what was taken for the time ($4) is not too far from it.
	remembered = `tenant = $1 AND stamp = $2 AND day = $3 AND lapses_at > greatest(t.now, $4::timestamptz)
		AND to_char(t.now AT TIME ZONE 'UTC', 'YYYY-MM-DD') = $3
		AND t.now BETWEEN $4::timestamptz - interval '1 second' AND $4::timestamptz + interval '1 second'`
	atNow = `(SELECT ` + fixedNow + ` AS now OFFSET 0) t`

	// booksStand fails unless the books are as the memo has them.
	booksStand = `SELECT CASE WHEN EXISTS (SELECT FROM tenant_accounts WHERE ` + remembered + `
			AND held_cost = $5 AND held_tokens = $6 AND spent_cost = $7 AND spent_tokens = $8
			AND pot_cost = $9 AND pot_tokens = $10 AND pot_spent_cost = $11 AND pot_spent_tokens = $12)
		AND NOT EXISTS (SELECT FROM unnest($13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[]) AS m (project, c, t, sc, st)
			LEFT JOIN budget_accounts a ON a.tenant = $1 AND a.project = m.project
			WHERE (coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0), coalesce(a.spent_cost, 0), coalesce(a.spent_tokens, 0))
				<> (m.c, m.t, m.sc, m.st))
		THEN t.now ELSE rae_outdated()::timestamptz END FROM ` + atNow

	// moveBooks adds what moves to the accounts; it fails where one of them has no room for it. The numbers of the projects
	// ($22) stand in $23, those of one after those of the other.
	moveBooks = `WITH above AS (
			UPDATE tenant_accounts SET held_cost = held_cost + $6, held_tokens = held_tokens + $7,
				spent_cost = spent_cost + $8, spent_tokens = spent_tokens + $9,
				pot_cost = pot_cost + $14, pot_tokens = pot_tokens + $15,
				pot_spent_cost = pot_spent_cost + $16, pot_spent_tokens = pot_spent_tokens + $17,
				lapses_at = least(lapses_at, t.now + $5::bigint * interval '1 microsecond')
			FROM ` + atNow + ` WHERE ` + remembered + `
				AND held_cost + spent_cost <= $10 AND held_tokens + spent_tokens <= $11 AND spent_cost <= $12 AND spent_tokens <= $13
				AND pot_cost + pot_spent_cost <= $18 AND pot_tokens + pot_spent_tokens <= $19
				AND pot_spent_cost <= $20 AND pot_spent_tokens <= $21
			RETURNING 1
		), projects AS (
			UPDATE budget_accounts a SET day = $3,
				held_cost = a.held_cost + ($23::bigint[])[i*8-7], held_tokens = a.held_tokens + ($23::bigint[])[i*8-6],
				spent_cost = a.spent_cost + ($23::bigint[])[i*8-5], spent_tokens = a.spent_tokens + ($23::bigint[])[i*8-4]
			FROM unnest($22::text[]) WITH ORDINALITY AS m (project, i)
			WHERE a.tenant = $1 AND a.project = ANY ($22) AND a.project = m.project
				AND a.held_cost + a.spent_cost <= ($23::bigint[])[i*8-3] AND a.held_tokens + a.spent_tokens <= ($23::bigint[])[i*8-2]
				AND a.spent_cost <= ($23::bigint[])[i*8-1] AND a.spent_tokens <= ($23::bigint[])[i*8]
			RETURNING 1
		)
		SELECT CASE WHEN (SELECT count(*) FROM above) + (SELECT count(*) FROM projects) = 1 + cardinality($22)
			THEN ` + fixedNow + ` ELSE rae_outdated()::timestamptz END`
)

// remembers are the first arguments of booksStand and moveBooks.
func (b *books) remembers() []any {
	return []any{b.tenant, b.stamp, string(b.stands.all.account.Day), b.now}
}

// stand keeps back that the accounts the turns went by are to be as remembered.
func (b *books) stand() {
	args := b.remembers()
	for _, s := range []*footing{&b.stands.all, &b.stands.pot} {
		args = append(args, int64(s.account.Held.Cost), s.account.Held.Tokens, int64(s.spent.Cost), s.spent.Tokens)
	}
	var names []string
	var columns [4][]int64
	for name, p := range b.opened() {
		names = append(names, name)
		for i, n := range []int64{int64(p.stands.account.Held.Cost), p.stands.account.Held.Tokens, int64(p.stands.spent.Cost), p.stands.spent.Tokens} {
			columns[i] = append(columns[i], n)
		}
	}
	b.tellTime(booksStand, append(args, names, columns[0], columns[1], columns[2], columns[3])...)
}

// move keeps back that the accounts move.
func (b *books) move() {
	args := append(b.remembers(), b.shortest())
	for _, m := range []movement{b.stands.all.movement(&b.next.all), b.stands.pot.movement(&b.next.pot)} {
		for _, n := range m {
			args = append(args, n)
		}
	}
	var names []string
	var numbers []int64
	for name, p := range b.changed() {
		m := p.stands.movement(&p.account)
		names, numbers = append(names, name), append(numbers, m[:]...)
	}
	b.tellTime(moveBooks, append(args, names, numbers)...)
	b.book()
}

// tellTime keeps back a question whose answer is the time.
func (b *books) tellTime(question string, args ...any) {
	b.ask(question, args, func(rows pgx.Rows) error {
		err := rows.Scan(b.actual)
		*b.actual = b.actual.UTC()
		return err
	})
}

// date gives what the transaction did its time.
func (b *books) date() {
	if b.actual.IsZero() {
		*b.actual = b.now
	}
	for i := range b.made {
		b.made[i].Reservation = b.dated(b.made[i].Reservation)
	}
}

// dated is what a turn of the transaction made or ended, with the time at which that was.
func (b *books) dated(r budget.Reservation) budget.Reservation {
	off := b.actual.Sub(b.now)
	if s := r.Settlement; s != nil {
		s := *s
		s.SettledAt = s.SettledAt.Add(off)
		r.Settlement = &s
		return r
	}
	r.CreatedAt, r.ExpiresAt = r.CreatedAt.Add(off), r.ExpiresAt.Add(off)
	return r
}

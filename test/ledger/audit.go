package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// keepJournal has the database write down in which order reservations change. What a transaction takes back is not in it.
func keepJournal(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statements have been answered
	_, err = conn.Exec(ctx, `
		CREATE TABLE ledger_journal (n bigint GENERATED ALWAYS AS IDENTITY, reservation uuid NOT NULL, status text NOT NULL);
		CREATE FUNCTION ledger_journal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN
				INSERT INTO public.ledger_journal (reservation, status) VALUES (NEW.id, NEW.status);
			END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER ledger_journal AFTER INSERT OR UPDATE ON reservations FOR EACH ROW EXECUTE FUNCTION ledger_journal();`)
	return err
}

// Rows are what the database holds of a scope.
type Rows struct {
	Reservations map[memory.ID]Row
	Order        []Change // in which they changed
}

// Row is a reservation, and its settlement if it has one.
type Row struct {
	Model      string
	Status     budget.State
	Cost       budget.Cost
	At         int64 // made, microseconds since 1970
	Expires    int64
	Settlement *Op // its cost and its answer
}

func readRows(ctx context.Context, url string) (map[memory.Scope]*Rows, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx) //nolint:errcheck // only read
	rows := map[memory.Scope]*Rows{}
	scopes := map[memory.ID]memory.Scope{}
	found, err := conn.Query(ctx, `SELECT r.tenant, r.project, r.id::text, r.model, r.status, r.max_cost, r.created_at, r.expires_at,
		c.cost, c.overrun, c.late, c.settled_at
		FROM reservations r FULL JOIN cost_logs c ON c.tenant = r.tenant AND c.project = r.project AND c.reservation_id = r.id`)
	if err != nil {
		return nil, err
	}
	var (
		scope           memory.Scope
		id              memory.ID
		row             Row
		created, expire time.Time
		cost, overrun   *int64
		late            *bool
		settled         *time.Time
	)
	_, err = pgx.ForEachRow(found, []any{
		&scope.Tenant, &scope.Project, &id, &row.Model, &row.Status, &row.Cost, &created, &expire, &cost, &overrun, &late, &settled,
	}, func() error {
		row.At, row.Expires, row.Settlement = created.UnixMicro(), expire.UnixMicro(), nil
		if cost != nil {
			row.Settlement = &Op{Cost: budget.Cost(*cost), Answer: Answer{
				Outcome: Settled, At: settled.UnixMicro(), Late: *late, Overrun: budget.Cost(*overrun),
			}}
		}
		if rows[scope] == nil {
			rows[scope] = &Rows{Reservations: map[memory.ID]Row{}}
		}
		rows[scope].Reservations[id], scopes[id] = row, scope
		return nil
	})
	if err != nil {
		return nil, err
	}
	found, err = conn.Query(ctx, `SELECT reservation::text, status FROM ledger_journal ORDER BY n`)
	if err != nil {
		return nil, err
	}
	var status budget.State
	_, err = pgx.ForEachRow(found, []any{&id, &status}, func() error {
		outcome := map[budget.State]Outcome{budget.Held: Granted, budget.Settled: Settled, budget.Released: Released}[status]
		if of := rows[scopes[id]]; of != nil && outcome != "" {
			of.Order = append(of.Order, Change{id, outcome})
		}
		return nil
	})
	return rows, err
}

// Audit asks each scope how its budget stands, as one more call of its history, and holds the books to the rows of the
// database and those to the calls. It returns the rows unless it could not read them.
func Audit(ctx context.Context, url string, histories []*History) (map[memory.Scope]*Rows, error) {
	open := func(clock func() time.Time) (*postgres.DB, budget.Ledger, error) {
		db, err := postgres.Open(url, postgres.Options{Clock: clock})
		if err != nil {
			return nil, nil, err
		}
		return db, postgres.NewLedger(db, budget.Policy{}), nil
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	db, present, err := open(func() time.Time { return now })
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // never fails
	running, natural, err := open(nil)
	if err != nil {
		return nil, err
	}
	defer running.Close() //nolint:errcheck // never fails
	last := &caller{name: "audit", ledger: natural, log: &log{}}
	rows, err := readRows(ctx, url)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, h := range histories {
		if rows[h.Scope] == nil {
			rows[h.Scope] = &Rows{}
		}
		errs = append(errs, rows[h.Scope].explain(h))
		status, err := present.Current(ctx, h.Scope)
		errs = append(errs, err, rows[h.Scope].balance(h.Scope, status, now))
		o := Op{Kind: Current, Scope: h.Scope, Name: "audit", Call: time.Now().UnixNano()}
		o.Answer = last.make(ctx, &o)
		o.Return = time.Now().UnixNano()
		h.Ops = append(h.Ops, o)
	}
	later := now.Add(budget.MaxTTL)
	db, ended, err := open(func() time.Time { return later })
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // never fails
	return rows, errors.Join(append(errs, checkNothingLeaks(ctx, ended, histories))...)
}

// checkNothingLeaks returns an error when anything is held by a ledger in whose time every lease has ended: before and
// after what has ended is swept.
func checkNothingLeaks(ctx context.Context, ended budget.Ledger, histories []*History) error {
	var errs []error
	look := func(when string) {
		for _, h := range histories {
			status, err := ended.Current(ctx, h.Scope)
			if err == nil && status.MonthlyReserved != 0 {
				err = fmt.Errorf("%s: %d are held when every lease has ended, %s", h.Scope, status.MonthlyReserved, when)
			}
			errs = append(errs, err)
		}
	}
	look("before a sweep")
	for {
		n, err := ended.Expire(ctx, 1000)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	look("after it")
	return errors.Join(errs...)
}

// balance holds how a budget stands at now to the rows.
func (r *Rows) balance(scope memory.Scope, status budget.Status, now time.Time) error {
	var held, today, month budget.Cost
	for _, row := range r.Reservations {
		if row.Status == budget.Held && row.Expires > now.UnixMicro() {
			held += row.Cost
		}
		if row.Settlement == nil {
			continue
		}
		at := time.UnixMicro(row.Settlement.Answer.At).UTC()
		if at.Format("2006-01") == now.Format("2006-01") {
			month += row.Settlement.Cost
		}
		if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
			today += row.Settlement.Cost
		}
	}
	if got, want := []budget.Cost{status.DailyUsage, status.MonthlyUsage, status.MonthlyReserved}, []budget.Cost{today, month, held}; !slices.Equal(got, want) {
		return fmt.Errorf("%s: the books say (today, this month, held) %d, the rows add up to %d", scope, got, want)
	}
	return nil
}

// explain returns an error when a call that was answered is not in the database as it was answered, or something in the
// database was asked for by nobody.
func (r *Rows) explain(h *History) error {
	type settlement struct {
		id   memory.ID
		cost budget.Cost
	}
	asked, settled, released := map[string]bool{}, map[settlement]bool{}, map[memory.ID]bool{}
	var errs []error
	for _, o := range h.Ops {
		row, there := r.Reservations[o.Reservation]
		right := true
		switch o.Kind {
		case Reserve:
			asked[o.model()] = true
			row, there = r.Reservations[o.Answer.Reservation]
			right = o.Answer.Outcome != Granted || there && row.Cost == o.Cost && row.At == o.Answer.At && row.Expires == o.Answer.Expires
		case Settle:
			settled[settlement{o.Reservation, o.Cost}] = true
			right = o.Answer.Outcome != Settled || row.Settlement != nil && row.Settlement.Cost == o.Cost && row.Settlement.Answer == o.Answer
		case Release:
			released[o.Reservation] = true
			right = o.Answer.Outcome != Released || there && row.Status == budget.Released
		}
		if !right {
			errs = append(errs, fmt.Errorf("%s: the database has %+v: %s", h.Scope, row, o))
		}
	}
	for id, row := range r.Reservations {
		if !asked[row.Model] {
			errs = append(errs, fmt.Errorf("%s: nobody asked for reservation %s", h.Scope, id))
		}
		if s := row.Settlement; s != nil && !settled[settlement{id, s.Cost}] {
			errs = append(errs, fmt.Errorf("%s: nobody settled %s for %d", h.Scope, id, s.Cost))
		}
		if row.Status == budget.Released && !released[id] {
			errs = append(errs, fmt.Errorf("%s: nobody released %s", h.Scope, id))
		}
	}
	return errors.Join(errs...)
}

// Resolve gives the calls without an answer the outcome that the database knows of, leaves out those that changed
// nothing, and takes over the order of changes.
func (h *History) Resolve(rows *Rows) {
	made := map[string]memory.ID{}
	for id, row := range rows.Reservations {
		made[row.Model] = id
	}
	h.Ops = slices.DeleteFunc(h.Ops, func(o Op) bool { return o.Answer.Outcome == Unknown && o.outcome(rows, made) == Unknown })
	for i := range h.Ops {
		o := &h.Ops[i]
		if o.Answer.Outcome != Unknown {
			continue
		}
		switch row := rows.Reservations[o.Reservation]; o.outcome(rows, made) {
		case Granted:
			id := made[o.model()]
			o.Answer = Answer{Outcome: Granted, Reservation: id, At: rows.Reservations[id].At, Expires: rows.Reservations[id].Expires}
		case Settled:
			o.Answer = row.Settlement.Answer
		case Released:
			o.Answer = Answer{Outcome: Released}
		}
	}
	if rows.Order != nil {
		h.Order = rows.Order
	}
}

// outcome is what a call without an answer may have done, by what the database holds; Unknown if nothing.
func (o *Op) outcome(rows *Rows, made map[string]memory.ID) Outcome {
	row := rows.Reservations[o.Reservation]
	switch {
	case o.Kind == Reserve && made[o.model()] != "":
		return Granted
	case o.Kind == Settle && row.Settlement != nil && row.Settlement.Cost == o.Cost:
		return Settled
	case o.Kind == Release && row.Status == budget.Released:
		return Released
	}
	return Unknown
}

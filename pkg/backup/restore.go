package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Restorer puts tenants into a store.
type Restorer struct {
	Into Store
	// Replace erases what the store has of a tenant that is to be restored. Without it, such a tenant is refused.
	Replace bool
	// Seen hears of every row that was read to be written. nil: nobody does.
	Seen func()
}

// StandsError refuses to restore a tenant that is there, unless it is to be replaced.
type StandsError struct{ Tenant, Why string }

func (e *StandsError) Error() string         { return fmt.Sprintf("tenant %q %s", e.Tenant, e.Why) }
func (e *StandsError) FaultKind() fault.Kind { return fault.Conflict }
func (e *StandsError) PublicMessage() string { return e.Error() }

// Outcome is what became of one tenant.
type Outcome struct {
	Tenant
	Stood bool `json:"already_restored"` // it had been restored from the same rows before, and was left alone
}

// Restore puts the tenant ("" = every one) of the archive into the store. The archive is read to its end and checked
// before anything is written, and again on the way. An interrupted restore goes on when it is called again.
func (r *Restorer) Restore(ctx context.Context, archive io.ReadSeeker, tenant string) ([]Outcome, error) {
	checked, err := Read(&reading{ctx, archive}, nil)
	if err != nil {
		return nil, err
	}
	wanted := map[string]Tenant{}
	for _, t := range checked.Tenants {
		if tenant == "" || tenant == t.Name {
			wanted[t.Name] = t
		}
	}
	if tenant != "" && len(wanted) == 0 {
		return nil, fault.New(fault.NotFound, "the archive has nothing of tenant %q", tenant)
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	var done []Outcome
	_, err = Read(&reading{ctx, archive}, func(name string, rows iter.Seq2[Row, error]) error {
		t, ok := wanted[name]
		if !ok {
			return nil
		}
		stood, err := r.tenant(ctx, t, rows)
		if err == nil {
			done = append(done, Outcome{t, stood})
		}
		return err
	})
	if err != nil {
		return done, err
	}
	return done, r.Into.Outnumber(ctx, checked.Erased)
}

// tenant puts one tenant into the store; stood reports that there was nothing to do.
func (r *Restorer) tenant(ctx context.Context, t Tenant, rows iter.Seq2[Row, error]) (stood bool, err error) {
	mark, err := r.Into.Mark(ctx, t.Name)
	if err != nil {
		return false, err
	}
	same := mark.Hash == t.Hash
	switch {
	case same && mark.Done && !r.Replace:
		return true, nil
	case same && !mark.Done, !mark.Rows && mark.Hash == "":
		// to be gone on with, or begun
	case !r.Replace && !mark.Done && mark.Hash != "":
		return false, &StandsError{t.Name, "is half restored from other rows"}
	case !r.Replace:
		return false, &StandsError{t.Name, "has rows in the store already"}
	default:
		if same, err := r.unchanged(ctx, t); same || err != nil {
			return same, err
		}
		if _, err := r.Into.EraseTenant(ctx, t.Name); err != nil {
			return false, err
		}
	}
	return false, r.Into.Restore(ctx, t.Name, t.Hash, r.seen(rows))
}

// unchanged reports whether the store has exactly the tenant's rows, as after a restore that was interrupted later.
func (r *Restorer) unchanged(ctx context.Context, t Tenant) (bool, error) {
	source, ok := r.Into.(Source)
	if !ok {
		return false, nil
	}
	stands, err := Digest(ctx, source, t.Name)
	if fault.KindOf(err) == fault.Conflict { // half restored
		return false, nil
	}
	return stands.Hash == t.Hash, err
}

func (r *Restorer) seen(rows iter.Seq2[Row, error]) iter.Seq2[Row, error] {
	if r.Seen == nil {
		return rows
	}
	return func(yield func(Row, error) bool) {
		for row, err := range rows {
			if err == nil {
				r.Seen()
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Copy puts the tenant ("" = every one) of another store into the store, without an archive between, and compares the
// hashes of both afterwards. Conflict: somebody wrote to one of them meanwhile.
func (r *Restorer) Copy(ctx context.Context, from Source, tenant string) ([]Outcome, error) {
	var done []Outcome
	var erased memory.Seq
	for name := tenant; ; {
		if tenant == "" {
			next, err := from.NextTenant(ctx, name)
			if err != nil {
				return done, err
			}
			name = next
		}
		if name == "" {
			break
		}
		outcome, number, err := r.copy(ctx, from, name)
		if err != nil {
			return done, err
		}
		done, erased = append(done, outcome), max(erased, number)
		if tenant != "" {
			break
		}
	}
	return done, r.Into.Outnumber(ctx, erased)
}

func (r *Restorer) copy(ctx context.Context, from Source, name string) (Outcome, memory.Seq, error) {
	d := newDigest()
	erased, err := from.Dump(ctx, name, d.add)
	if err != nil {
		return Outcome{}, 0, err
	}
	t := d.tenant(name)
	if t.Count() == 0 {
		return Outcome{}, 0, fault.New(fault.NotFound, "the store has nothing of tenant %q", name)
	}
	pipe := &pipe{ctx: ctx, from: from, tenant: t}
	stood, err := r.tenant(ctx, t, pipe.each)
	if err == nil {
		err = r.arrived(ctx, t)
	}
	return Outcome{t, stood}, erased, err
}

// arrived compares what the store has with what it was to have.
func (r *Restorer) arrived(ctx context.Context, t Tenant) error {
	source, ok := r.Into.(Source)
	if !ok {
		return nil
	}
	got, err := Digest(ctx, source, t.Name)
	if err == nil && got.Hash != t.Hash {
		err = fault.New(fault.Conflict, "tenant %q is not in the store as it was in the other: somebody wrote to it meanwhile", t.Name)
	}
	return err
}

// pipe turns what a source tells into rows to be read, and makes sure that it is what it told before.
type pipe struct {
	ctx    context.Context
	from   Source
	tenant Tenant
}

var errStopped = errors.New("the reader of the rows has stopped")

func (p *pipe) each(yield func(Row, error) bool) {
	d := newDigest()
	_, err := p.from.Dump(p.ctx, p.tenant.Name, func(row Row) error {
		if err := d.add(row); err != nil {
			return err
		}
		if !yield(row, nil) {
			return errStopped
		}
		return nil
	})
	if err == nil && d.tenant(p.tenant.Name).Hash != p.tenant.Hash {
		err = fault.New(fault.Conflict, "somebody wrote to tenant %q while it was read", p.tenant.Name)
	}
	if err != nil && !errors.Is(err, errStopped) {
		yield(Row{}, err)
	}
}

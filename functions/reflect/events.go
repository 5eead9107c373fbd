package reflect

import (
	"context"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

const (
	workSlice = 8                // reflections worked on per event; more ask for another event
	workTime  = 25 * time.Second // per event: below the time a broker or a request gives it
)

// Consumers are the events the function takes, by type: memory.stored, memory.deleted, reflection.due, maintenance.due and
// budget.changed.
func (f *Function) Consumers() map[string]eventing.Consumer {
	return map[string]eventing.Consumer{
		eventing.MemoryStored:   f.stored,
		eventing.MemoryDeleted:  f.deleted,
		eventing.ReflectionDue:  f.due,
		eventing.MaintenanceDue: f.maintain,
		eventing.BudgetChanged:  f.resume,
	}
}

// stored considers a new memory. What it queues, reflection.due wakes the function for: the delivery of a memory never
// waits for reflecting.
func (f *Function) stored(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[memory.Announcement](e)
	if err != nil {
		return err
	}
	if data.Layer == memory.Reflective {
		return nil // reflections cause no reflections; this saves a look at it
	}
	_, err = f.service.Consider(ctx, e.Scope, reflection.Event{Source: e.Source, ID: e.ID}, data.MemoryID)
	return err
}

// deleted forgets that a memory which is gone was read. What was derived from it went with it, by the store.
func (f *Function) deleted(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[memory.Announcement](e)
	if err != nil {
		return err
	}
	if data.Layer == memory.Reflective {
		return nil // nobody reads those
	}
	return f.service.Unread(ctx, e.Scope, data.MemoryID)
}

// due goes on with queued and abandoned reflections.
func (f *Function) due(ctx context.Context, _ eventing.Event) error {
	ctx, stop := context.WithTimeout(ctx, workTime)
	defer stop()
	_, err := f.service.RunQueued(ctx, workSlice)
	if ctx.Err() != nil {
		return nil // what was cut short is back in the queue and asks for another event by itself
	}
	return err
}

// resume goes on with what a budget put off, now that other limits are in force: of a project, or of all of a tenant.
func (f *Function) resume(ctx context.Context, e eventing.Event) error {
	_, err := f.service.Resume(ctx, e.Scope)
	return err
}

// maintain queues the day's decay, promotions, summaries and forgetting, and goes on with what is queued.
func (f *Function) maintain(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[eventing.Tick](e)
	if err != nil {
		return err
	}
	within := memory.Scope{Tenant: data.Tenant, Project: data.Project}
	if _, err := f.service.DecayScopes(ctx, within); err != nil {
		return err
	}
	if _, err := f.service.DreamScopes(ctx, within); err != nil {
		return err
	}
	if _, err := f.service.ForgetScopes(ctx, within); err != nil {
		return err
	}
	return f.due(ctx, e)
}

package store

import (
	"context"
	"errors"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// How long one drain.due deletes what has expired, goes on with jobs, and sends what waits. Together they are shorter
// than a request may take; what is left is for the next one, and a job that has been gone on with wakes its next worker
// by itself.
const (
	sweepTime = 6 * time.Second
	jobsTime  = 4 * time.Second
	drainTime = 13 * time.Second
	dueJobs   = 16 // of one drain.due
)

// derived keeps a memory that a reflection derived.
func (f *Function) derived(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[eventing.Derivation](e)
	if err != nil {
		return err
	}
	_, _, err = f.Memories.Derive(ctx, e.Scope, ingest.Derivation{
		Event:  ingest.Event{Source: e.Source, ID: e.ID},
		Memory: data.Memory,
		Reason: "reflection " + string(data.ReflectionID),
	})
	return err
}

// embedded attaches a vector that was still to come.
func (f *Function) embedded(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[eventing.Embedding](e)
	if err != nil {
		return err
	}
	_, err = f.Memories.Attach(ctx, e.Scope, ingest.Vector{
		Event:    ingest.Event{Source: e.Source, ID: e.ID},
		MemoryID: data.MemoryID,
		Version:  data.Version,
		Vector:   memory.Vector{Model: data.Model, Values: data.Vector},
	})
	return err
}

// work does a slice of the job. One that is gone, has ended or is another's needs none.
func (f *Function) work(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[eventing.JobCall](e)
	if err != nil || f.Jobs == nil {
		return err
	}
	_, err = f.Jobs.Run(ctx, e.Scope, data.JobID)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// resume goes on with what a budget put off, now that other limits are in force: of a project, or of all of a tenant.
func (f *Function) resume(ctx context.Context, e eventing.Event) error {
	if f.Jobs == nil {
		return nil
	}
	if e.Scope.Project != "" || f.Models == nil {
		_, err := f.Jobs.Resume(ctx, e.Scope)
		return err
	}
	const page = 100
	for after := e.Scope; ; {
		scopes, err := f.Models.Scopes.Scopes(ctx, after, page)
		if err != nil {
			return err
		}
		for _, scope := range scopes {
			if scope.Tenant != e.Scope.Tenant {
				return nil
			}
			if _, err := f.Jobs.Resume(ctx, scope); err != nil {
				return err
			}
		}
		if len(scopes) < page {
			return nil
		}
		after = scopes[len(scopes)-1]
	}
}

// drain deletes what has expired and jobs that ended long ago, looks once a day for projects to upgrade and now and then for such whose entities are to be told apart, goes on with jobs that nobody is woken for, and sends what waits in the outbox. None
// keeps another from its turn, and all may leave work for the next tick.
func (f *Function) drain(ctx context.Context, _ eventing.Event) error {
	within, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	_, err := f.Memories.Sweep(within)
	if f.Jobs != nil {
		_, failed := f.Jobs.Sweep(within)
		err = errors.Join(err, failed)
		within, cancel := context.WithTimeout(ctx, jobsTime)
		defer cancel()
		if f.Models != nil {
			err = errors.Join(err, f.Models.Upgrade(within))
		}
		if f.Names != nil {
			err = errors.Join(err, f.Names.Wake(within))
		}
		_, failed = f.Jobs.RunDue(within, dueJobs)
		err = errors.Join(err, failed)
	}
	if f.Drain != nil {
		err = errors.Join(err, f.Drain(ctx))
	}
	return err
}

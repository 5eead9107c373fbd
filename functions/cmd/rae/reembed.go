package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

const (
	shownSlice  = time.Second            // how long progress stands still while this process works
	watchEvery  = 500 * time.Millisecond // how often it is looked at while another one does
	projectPage = 1000
)

func (p *program) reembed() *cobra.Command {
	var to string
	var all bool
	c := &cobra.Command{
		Use:   "reembed --to MODEL",
		Short: "Give memories the vectors of another embedding model",
		Long: `reembed embeds every memory of the project by the model, where it has no vector of it yet. The vectors of other models
stay, and searches go on using theirs until RAE_EMBED_MODEL names the new one. The work is a job: an interrupt stops it
after the step it is at, and the same command, or a server on the same store, goes on with it.

` + environment(
			"RAE_EMBED_PROVIDER  who embeds (static); docs/inference.md has all of RAE_EMBED_*",
			"RAE_EMBED_MODEL     model that searches use"),
		Example: `  rae reembed --to static-256-v1
  rae reembed --to static-256-v1 --tenant acme --all-projects --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return usagef("--to is required: the id of an embedding model")
			}
			if all && c.Flags().Changed("project") {
				return usagef("--project and --all-projects exclude each other")
			}
			return p.doReembed(c.Context(), to, all)
		},
	}
	c.Flags().StringVar(&to, "to", "", "model whose vectors are wanted")
	c.Flags().BoolVar(&all, "all-projects", false, "do it for every project of the tenant, one after the other")
	return c
}

// reembedded is what --json prints.
type reembedded struct {
	Model  string    `json:"model"`
	Jobs   []job.Job `json:"jobs"`
	TookMS float64   `json:"took_ms"`
}

func (p *program) doReembed(ctx context.Context, model string, all bool) error {
	began := time.Now()
	done := reembedded{Model: model, Jobs: []job.Job{}}
	err := p.with(ctx, func(engine *rae.Engine) error {
		projects := []string{p.project}
		if all {
			var err error
			if projects, err = projectsOf(ctx, engine, p.tenant); err != nil {
				return err
			}
		}
		for _, project := range projects {
			scope := memory.Scope{Tenant: p.tenant, Project: project}
			j, err := engine.Reembed.Start(ctx, engine.Jobs, scope, model)
			if err == nil {
				j, err = p.follow(ctx, engine.Jobs, j)
			}
			if err != nil {
				return err
			}
			done.Jobs = append(done.Jobs, j)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.tellReembedded(done, time.Since(began))
}

// projectsOf lists the tenant's projects that were written to.
func projectsOf(ctx context.Context, engine *rae.Engine, tenant string) ([]string, error) {
	var all []string
	for after := (memory.Scope{Tenant: tenant}); ; {
		page, err := engine.Scopes(ctx, after, projectPage)
		if err != nil {
			return nil, err
		}
		for _, scope := range page {
			if scope.Tenant != tenant {
				return all, nil
			}
			all, after = append(all, scope.Project), scope
		}
		if len(page) < projectPage {
			return all, nil
		}
	}
}

// follow works on the job, or watches another process do so, until it has ended. It is an error when it did not succeed.
func (p *program) follow(ctx context.Context, jobs *job.Runner, j job.Job) (job.Job, error) {
	runner := *jobs
	runner.Slice = shownSlice
	meter := p.byCount(j.Kind+" "+j.ProjectID, "memories", j.Progress.Total)
	defer meter.finish()
	meter.reaches(j.Progress.Done, j.Progress.Total)
	told := ""
	for !j.Status.Final() && j.Status != job.Parked {
		now, err := runner.Run(ctx, j.Scope(), j.ID)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return j, err
		}
		if j = now; j.Error != "" && j.Error != told && !j.Status.Final() {
			told = j.Error
			fmt.Fprintf(p.stderr, "rae: %s; it is tried again\n", printable(j.Error))
		}
		meter.reaches(j.Progress.Done, j.Progress.Total)
		if j.Status == job.Running || j.NotBefore != nil {
			if err := pause(ctx, watchEvery); err != nil {
				return j, err
			}
		}
	}
	if j.Status != job.Succeeded {
		return j, fault.New(fault.Unavailable, "job %s is %s: %s", j.ID, j.Status, j.Error)
	}
	return j, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *program) tellReembedded(done reembedded, took time.Duration) error {
	if p.json {
		done.TookMS = float64(took.Microseconds()) / 1000
		return p.printJSON(done)
	}
	total := 0
	for _, j := range done.Jobs {
		total += int(j.Progress.Done)
		if _, err := fmt.Fprintf(p.stdout, "%s/%s: %s of %s\n", j.TenantID, j.ProjectID,
			counted(int(j.Progress.Done), "memory has its vector", "memories have their vectors"), printable(done.Model)); err != nil {
			return err
		}
	}
	if !p.quiet {
		fmt.Fprintf(p.stderr, "rae: %.1f s, %s\n", took.Seconds(), rate(int64(total), took, "memories"))
	}
	return nil
}

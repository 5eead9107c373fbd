package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

const (
	shownSlice  = time.Second            // how long progress stands still while this process works
	watchEvery  = 500 * time.Millisecond // how often it is looked at while another one does
	projectPage = 1000
)

// remodelling is what reembed was asked to do: one of the first four.
type remodelling struct {
	to       string
	forget   string
	switches bool
	rollback bool

	covered float64
	all     bool
}

func (p *program) reembed() *cobra.Command {
	var asked remodelling
	c := &cobra.Command{
		Use:   "reembed {--to MODEL | --switch | --rollback | --forget MODEL}",
		Short: "Move memories to another embedding model while they are searched",
		Long: `reembed moves the project to another embedding model, in steps that can be taken back. Searches go on all the time, each
by one model alone, and what has no vector of it is found by its words.

  --to MODEL      give every memory a vector of the model, beside the ones it has, and compare: how many memories have
                  one, and how far both models agree on the ten nearest of a sample of stored texts. What is written gets
                  vectors of both from now on. An interrupt stops the job after the step it is at, and the same command, or
                  a server on the same store, goes on with it.
  --switch        let searches use it; every process on the store follows within seconds
  --rollback      let searches use the one before again
  --forget MODEL  remove the vectors of a model searches do not use, and make no more

A project whose model is built in follows a program that comes with another built-in model by itself, until somebody has
switched it by this command.

` + environment(
			"RAE_EMBED_PROVIDER  who embeds (static); docs/inference.md has all of RAE_EMBED_*",
			"RAE_EMBED_MODEL     model of projects nobody has chosen one for"),
		Example: `  rae reembed --to static-256-v1
  rae reembed --switch && rae reembed --forget hash-384-v1
  rae reembed --to static-256-v1 --tenant acme --all-projects --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := asked.check(); err != nil {
				return err
			}
			if asked.all && c.Flags().Changed("project") {
				return usagef("--project and --all-projects exclude each other")
			}
			return p.doReembed(c.Context(), &asked)
		},
	}
	c.Flags().StringVar(&asked.to, "to", "", "model whose vectors are wanted")
	c.Flags().BoolVar(&asked.switches, "switch", false, "let searches use the model that --to named")
	c.Flags().BoolVar(&asked.rollback, "rollback", false, "let searches use the model from before the last switch")
	c.Flags().StringVar(&asked.forget, "forget", "", "model whose vectors are removed")
	c.Flags().Float64Var(&asked.covered, "covered", 1, "with --switch: share of the memories that must have a vector of the model")
	c.Flags().BoolVar(&asked.all, "all-projects", false, "do it for every project of the tenant, one after the other")
	return c
}

func (r *remodelling) check() error {
	chosen := 0
	for _, one := range []bool{r.to != "", r.forget != "", r.switches, r.rollback} {
		if one {
			chosen++
		}
	}
	switch {
	case chosen != 1:
		return usagef("one of --to, --switch, --rollback and --forget is required")
	case r.covered < 0 || r.covered > 1:
		return usagef("--covered %v must be 0 to 1", r.covered)
	}
	return nil
}

// reembedded is what --json prints.
type reembedded struct {
	Model    string           `json:"model,omitempty"`
	Jobs     []job.Job        `json:"jobs"`
	Projects []embed.Standing `json:"projects"` // as they stand afterwards
	TookMS   float64          `json:"took_ms"`
}

func (p *program) doReembed(ctx context.Context, asked *remodelling) error {
	began := time.Now()
	done := reembedded{Model: cmp.Or(asked.to, asked.forget), Jobs: []job.Job{}, Projects: []embed.Standing{}}
	err := p.with(ctx, func(engine *rae.Engine) error {
		projects := []string{p.project}
		if asked.all {
			var err error
			if projects, err = projectsOf(ctx, engine, p.tenant); err != nil {
				return err
			}
		}
		for _, project := range projects {
			if err := p.remodel(ctx, engine, asked, memory.Scope{Tenant: p.tenant, Project: project}, &done); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.json {
		done.TookMS = float64(time.Since(began).Microseconds()) / 1000
		return p.printJSON(done)
	}
	if n := len(done.Jobs); n > 0 && !p.quiet {
		p.tellTook(done.Jobs, time.Since(began))
	}
	return nil
}

// remodel does what was asked for one project, and tells of it.
func (p *program) remodel(ctx context.Context, engine *rae.Engine, asked *remodelling, scope memory.Scope, done *reembedded) error {
	var j job.Job
	var err error
	switch {
	case asked.to != "":
		j, err = engine.Reembed.Start(ctx, scope, asked.to)
	case asked.forget != "":
		j, err = engine.Reembed.Forget(ctx, scope, asked.forget)
	case asked.switches:
		_, err = engine.Reembed.Switch(ctx, scope, asked.covered)
	default:
		_, err = engine.Reembed.Rollback(ctx, scope)
	}
	if err == nil && j.ID != "" {
		j, err = p.follow(ctx, engine.Jobs, j)
		done.Jobs = append(done.Jobs, j)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", scope, err)
	}
	stands, err := engine.Reembed.Stands(ctx, scope)
	if err != nil {
		return err
	}
	done.Projects = append(done.Projects, stands)
	if p.json {
		return nil
	}
	return p.tellModels(scope, asked, &j, &stands)
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

func (p *program) tellModels(scope memory.Scope, asked *remodelling, j *job.Job, stands *embed.Standing) error {
	told := fmt.Sprintf("searches use %s", printable(stands.Active))
	switch {
	case asked.to != "":
		told = fmt.Sprintf("%s of %s", counted(int(j.Progress.Done), "memory has its vector", "memories have their vectors"), printable(asked.to)) + compared(j)
	case asked.forget != "":
		told = fmt.Sprintf("%s of %s forgotten", counted(int(j.Progress.Done), "vector", "vectors"), printable(asked.forget))
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %s\n", printable(scope.String()), told)
	return err
}

// compared says what a switch would change.
func compared(j *job.Job) string {
	var c embed.Comparison
	if json.Unmarshal(j.Result, &c) != nil || c.Against == "" {
		return ""
	}
	told := fmt.Sprintf("; %.1f %% covered", 100*c.Covered)
	if c.Overlap != nil {
		told += fmt.Sprintf("; overlap@10 with %s %.2f (%s among %s)", printable(c.Against), *c.Overlap,
			counted(c.Queries, "text", "texts"), counted(c.Sample, "memory", "memories"))
	}
	return told + "; rae reembed --switch lets searches use it"
}

func (p *program) tellTook(jobs []job.Job, took time.Duration) {
	total, of := 0, "memories"
	for i := range jobs {
		total += int(jobs[i].Progress.Done)
	}
	if jobs[0].Kind == embed.ForgetKind {
		of = "vectors"
	}
	fmt.Fprintf(p.stderr, "rae: %.1f s, %s\n", took.Seconds(), rate(int64(total), took, of))
}

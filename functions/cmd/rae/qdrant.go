package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
)

// qdrantEnvironment are the variables of whatever works on the copy in Qdrant.
func qdrantEnvironment() string {
	return environment(
		"RAE_QDRANT_URL      where Qdrant listens for gRPC, such as grpc://127.0.0.1:6334",
		"RAE_QDRANT_API_KEY  its API key, if it asks for one",
		"RAE_QDRANT_PREFIX   how names of collections begin (rae)")
}

// indexName takes the one index there is to name.
func indexName(_ *cobra.Command, args []string) error {
	if err := needs("INDEX", 1, 1)(nil, args); err != nil {
		return err
	}
	if args[0] != "qdrant" {
		return usagef("INDEX %q must be qdrant", args[0])
	}
	return nil
}

// oneTenant is the tenant the command was limited to, "" for all.
func (p *program) oneTenant(c *cobra.Command) string {
	if c.Flags().Changed("tenant") {
		return p.tenant
	}
	return ""
}

// withQdrant is with, for what needs a Qdrant: over the vectors of the model, "" being the deployment's.
func (p *program) withQdrant(ctx context.Context, model string, do func(*rae.Engine) error) error {
	return p.with(ctx, func(e *rae.Engine) (err error) {
		if e.Qdrant == nil {
			return &serve.ConfigError{Name: "RAE_QDRANT_URL", Missing: true, Allowed: "where Qdrant listens for gRPC, such as grpc://127.0.0.1:6334"}
		}
		if e.Qdrant, err = e.Copy(model); err != nil {
			return err
		}
		return do(e)
	})
}

func (p *program) reindex() *cobra.Command {
	var model string
	c := &cobra.Command{
		Use:   "reindex qdrant",
		Short: "Make the copy of the vectors in Qdrant anew",
		Long: `reindex writes every vector of the store to Qdrant and drops what does not belong there. It goes project by project and
may run beside the server: searches of a project that is being written are answered without Qdrant. Broken off, it
is started again. With --tenant it makes anew what that tenant has; otherwise everything, and a collection that
cannot be used (another size of vectors, say) is replaced.

` + qdrantEnvironment(),
		Example: `  RAE_QDRANT_URL=grpc://127.0.0.1:6334 rae reindex qdrant
  rae reindex qdrant --tenant acme`,
		Args: indexName,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withQdrant(c.Context(), model, func(e *rae.Engine) error { return p.doReindex(c.Context(), e, p.oneTenant(c)) })
		},
	}
	c.Flags().StringVar(&model, "model", "", modelHelp)
	return c
}

const modelHelp = "embedding model whose vectors are meant, where it is not RAE_EMBED_MODEL"

func (p *program) doReindex(ctx context.Context, e *rae.Engine, tenant string) error {
	show := &reindexing{program: p}
	made, err := e.Qdrant.Rebuild(ctx, tenant, show.progress)
	show.finish()
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"index": "qdrant", "collection": e.Qdrant.Index.Collection(), "projects": made})
	}
	_, err = fmt.Fprintf(p.stdout, "%s made anew in collection %s\n", counted(made, "project", "projects"), e.Qdrant.Index.Collection())
	return err
}

// reindexing shows one meter after the other.
type reindexing struct {
	program *program
	scope   memory.Scope
	meter   *meter
}

func (r *reindexing) progress(scope memory.Scope, mark, head memory.Seq) {
	if scope != r.scope {
		r.finish()
		r.scope, r.meter = scope, r.program.byCount("reindex "+scope.String(), "changes", int64(head))
	}
	r.meter.add(int64(mark) - r.meter.done)
}

func (r *reindexing) finish() {
	if r.meter != nil {
		r.meter.finish()
	}
}

func (p *program) verify() *cobra.Command {
	var repair bool
	var model string
	c := &cobra.Command{
		Use:   "verify qdrant",
		Short: "Compare the copy of the vectors in Qdrant with the store",
		Long: `verify compares every memory that has a vector with its copy in Qdrant, and every copy with the store: what is missing,
stale, or left over. It changes nothing, may run beside the server, and does not count what is only late. With --tenant
it looks at that tenant alone. Exit code 1 tells that something differs and was not repaired.

` + qdrantEnvironment(),
		Example: `  RAE_QDRANT_URL=grpc://127.0.0.1:6334 rae verify qdrant
  rae verify qdrant --tenant acme --repair`,
		Args: indexName,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withQdrant(c.Context(), model, func(e *rae.Engine) error { return p.doVerify(c.Context(), e, p.oneTenant(c), repair) })
		},
	}
	c.Flags().StringVar(&model, "model", "", modelHelp)
	c.Flags().BoolVar(&repair, "repair", false, "make the projects that differ anew")
	return c
}

// verified is what --json prints, and what is told.
type verified struct {
	Projects int  `json:"projects"`
	Stored   int  `json:"stored"`
	Indexed  int  `json:"indexed"`
	Missing  int  `json:"missing"`
	Stale    int  `json:"stale"`
	Orphans  int  `json:"orphans"`
	Drifted  int  `json:"projects_drifted"`
	Behind   int  `json:"projects_behind"`
	Repaired bool `json:"repaired"`
}

func (p *program) doVerify(ctx context.Context, e *rae.Engine, tenant string, repair bool) error {
	var sum verified
	comparisons, err := e.Qdrant.Drifted(ctx, tenant, func(stored, indexed int, behind int64) {
		sum.Projects++
		sum.Stored += stored
		sum.Indexed += indexed
		if behind > 0 {
			sum.Behind++
		}
	})
	if err != nil {
		return err
	}
	for _, c := range comparisons {
		sum.Drifted++
		sum.Missing, sum.Stale, sum.Orphans = sum.Missing+c.Missing, sum.Stale+c.Stale, sum.Orphans+c.Orphans
		if !p.json {
			fmt.Fprintf(p.stdout, "%s: %d missing, %d stale, %d left over; such as %v\n", printable(c.Scope.String()), c.Missing, c.Stale, c.Orphans, c.Samples)
		}
		if repair {
			if err := e.Qdrant.Repair(ctx, c); err != nil {
				return err
			}
		}
	}
	sum.Repaired = repair && sum.Drifted > 0
	if err := p.tellVerified(&sum); err != nil {
		return err
	}
	if sum.Drifted > 0 && !repair {
		return fault.New(fault.Conflict, "%s; --repair makes them anew", counted(sum.Drifted, "project differs", "projects differ"))
	}
	return nil
}

func (p *program) tellVerified(sum *verified) error {
	if p.json {
		return p.printJSON(sum)
	}
	state := "nothing differs"
	switch {
	case sum.Repaired:
		state = counted(sum.Drifted, "project", "projects") + " made anew"
	case sum.Drifted > 0:
		state = fmt.Sprintf("%d missing, %d stale, %d left over", sum.Missing, sum.Stale, sum.Orphans)
	}
	late := ""
	if sum.Behind > 0 {
		late = "; " + counted(sum.Behind, "project is", "projects are") + " behind, which searches make up for"
	}
	_, err := fmt.Fprintf(p.stdout, "%s, %s in the store, %s in Qdrant: %s%s\n",
		counted(sum.Projects, "project", "projects"), counted(sum.Stored, "vector", "vectors"), thousands(sum.Indexed), state, late)
	return err
}

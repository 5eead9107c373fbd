package search

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// graph is what memories name and how that hangs together, as far as a view shows it.
type graph interface {
	// Entities lists the entities named by at least one visible memory, most mentioned first, ties by name.
	Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]search.Node, error)
	// Explore walks depth hops (0..5) from the entities that start names: an entity's id, its name, or a question that
	// names entities. NotFound when it names none.
	Explore(ctx context.Context, scope memory.Scope, view memory.View, start string, depth int) (search.Subgraph, error)
}

// entitiesRoute is what cursors of the list are made for.
const entitiesRoute = "GET /v1/entities"

// Entity is something memories name.
type Entity struct {
	ID       string `json:"id" format:"uuid" doc:"Stable: the same name in the same project has the same id."`
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`
	Mentions int    `json:"mentions" doc:"Memories that name it."`
}

type edge struct {
	From     string      `json:"from" format:"uuid"`
	To       string      `json:"to" format:"uuid"`
	Relation string      `json:"relation" enum:"mentioned_with"`
	Memories []memory.ID `json:"memories" doc:"The evidence: memories that name both, at most 20."`
}

// Subgraph is what lies within some hops of where a walk began.
type Subgraph struct {
	Nodes    []Entity        `json:"nodes" doc:"Nearest first, at most 200."`
	Edges    []edge          `json:"edges"`
	Memories []memory.Memory `json:"memories" doc:"The memories the edges rest on, at most 100."`
}

func (f *Function) registerGraph(api huma.API, op func(id, method, path, summary, description string, more ...int) huma.Operation) {
	httpapi.Register(api, op("list-entities", http.MethodGet, "/v1/entities", "List entities",
		"Entities that memories name, most mentioned first."), f.entities)
	httpapi.Register(api, op("get-entity", http.MethodGet, "/v1/entities/{id}", "Read an entity",
		"The entity, what it is mentioned with, and the memories that name both.", http.StatusNotFound), f.entity)
	f.registerNames(api, op)
	httpapi.Register(api, op("query-graph", http.MethodPost, "/v1/graph/query", "Walk the graph of entities",
		"From the named entity, or from every entity a question names, up to `depth` hops.", http.StatusNotFound), f.walk)
}

type entitiesInput struct {
	httpapi.Scoped
	httpapi.Paged
	AsOf time.Time `query:"as_of" doc:"Only memories that were true in the world at this time count."`
}

type entitiesOutput struct {
	Body struct {
		Entities   []Entity `json:"entities"`
		NextCursor string   `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) entities(ctx context.Context, in *entitiesInput) (*entitiesOutput, error) {
	after, err := in.After(in.Scope(), entitiesRoute)
	if err != nil {
		return nil, err
	}
	graph, err := f.graph(ctx, in.Scope())
	if err != nil {
		return nil, err
	}
	nodes, err := graph.Entities(ctx, in.Scope(), viewAt(in.AsOf))
	if err != nil {
		return nil, err
	}
	if after != "" {
		at := slices.IndexFunc(nodes, func(n search.Node) bool { return n.ID == after })
		if at < 0 {
			return nil, fault.BadField("query.cursor", "points at an entity that is gone; start anew")
		}
		nodes = nodes[at+1:]
	}
	out := &entitiesOutput{}
	out.Body.Entities = []Entity{}
	for _, n := range nodes[:min(in.Limit, len(nodes))] {
		out.Body.Entities = append(out.Body.Entities, Entity(n))
	}
	if len(nodes) > in.Limit {
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), entitiesRoute, nodes[in.Limit-1].ID)
	}
	return out, nil
}

type entityInput struct {
	httpapi.Scoped
	ID   string    `path:"id" format:"uuid"`
	AsOf time.Time `query:"as_of" doc:"Only memories that were true in the world at this time count."`
}

type entityOutput struct {
	Body struct {
		Entity
		Identity
		Subgraph
	}
}

func (f *Function) entity(ctx context.Context, in *entityInput) (*entityOutput, error) {
	sub, err := f.explore(ctx, in.Scope(), viewAt(in.AsOf), in.ID, 1)
	if err != nil {
		return nil, err
	}
	out := &entityOutput{}
	out.Body.Entity, out.Body.Subgraph = sub.Nodes[0], sub
	out.Body.Identity, err = f.identity(ctx, in.Scope(), in.ID)
	return out, err
}

type walkInput struct {
	httpapi.Scoped
	Body struct {
		Entity    string     `json:"entity,omitempty" maxLength:"512" doc:"Name or id of the entity to start from." example:"Alice"`
		Query     string     `json:"query,omitempty" maxLength:"16384" doc:"Or a question: the walk starts from every entity it names."`
		Depth     int        `json:"depth,omitempty" minimum:"1" maximum:"5" default:"2" doc:"Hops."`
		Relations []string   `json:"relations,omitempty" maxItems:"64" doc:"Only edges of these relations."`
		AsOf      *time.Time `json:"as_of,omitempty" doc:"Only memories that were true in the world at this time count."`
	}
}

type walkOutput struct{ Body Subgraph }

func (f *Function) walk(ctx context.Context, in *walkInput) (*walkOutput, error) {
	start := in.Body.Entity
	switch {
	case (start == "") == (in.Body.Query == ""):
		return nil, fault.BadField("body.entity", "or body.query must be given, and not both")
	case start == "":
		start = in.Body.Query
	}
	sub, err := f.explore(ctx, in.Scope(), memory.View{AsOf: in.Body.AsOf}, start, in.Body.Depth)
	if err != nil {
		return nil, err
	}
	if len(in.Body.Relations) > 0 {
		sub.Edges = slices.DeleteFunc(sub.Edges, func(e edge) bool { return !slices.Contains(in.Body.Relations, e.Relation) })
	}
	return &walkOutput{sub}, nil
}

// maxSupport bounds how many supporting memories an answer carries in full; the edges name the rest by id.
const maxSupport = 100

func (f *Function) explore(ctx context.Context, scope memory.Scope, view memory.View, start string, depth int) (Subgraph, error) {
	graph, err := f.graph(ctx, scope)
	if err != nil {
		return Subgraph{}, err
	}
	found, err := graph.Explore(ctx, scope, view, strings.TrimSpace(start), depth)
	if err != nil {
		return Subgraph{}, err
	}
	sub := Subgraph{Nodes: []Entity{}, Edges: []edge{}, Memories: []memory.Memory{}}
	for _, n := range found.Nodes {
		sub.Nodes = append(sub.Nodes, Entity(n))
	}
	var ids []memory.ID
	for _, e := range found.Edges {
		sub.Edges = append(sub.Edges, edge(e))
		for _, id := range e.Memories {
			if len(ids) < maxSupport && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) > 0 {
		if sub.Memories, err = f.service.Memories.Find(ctx, scope, ids, view); err != nil {
			return Subgraph{}, err
		}
	}
	return sub, nil
}

// graph returns the entities' index, caught up with the store.
func (f *Function) graph(ctx context.Context, scope memory.Scope) (graph, error) {
	_, err := f.parts.freshness.CatchUp(ctx, scope)
	return f.parts.graph, err
}

func viewAt(asOf time.Time) memory.View {
	if asOf.IsZero() {
		return memory.View{}
	}
	return memory.View{AsOf: &asOf}
}

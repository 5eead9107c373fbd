package search

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// entitiesRoute is what cursors of the list are made for.
const entitiesRoute = "GET /v1/entities"

// Entity is something memories mention, or a fact tells of.
type Entity struct {
	ID       string `json:"id" format:"uuid" doc:"Stable: the same name in the same project has the same id."`
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`
	Mentions int    `json:"mentions" doc:"Memories that mention it; 0 where only facts tell of it."`
}

type edge struct {
	From       string            `json:"from" format:"uuid"`
	To         string            `json:"to" format:"uuid"`
	Relation   string            `json:"relation" doc:"Of a fact, or \"mentioned_with\": memories mention both. That one has no direction." example:"works_at"`
	Fact       memory.ID         `json:"fact_id,omitempty" doc:"The fact that says so."`
	ValidFrom  *time.Time        `json:"valid_from,omitempty" doc:"Since when the fact is true in the world."`
	ValidTo    *time.Time        `json:"valid_to,omitempty" doc:"Until when, exclusive."`
	Confidence float64           `json:"confidence" doc:"Of the fact, 0 to 1; 1 of a mention."`
	Memories   []memory.ID       `json:"memories" doc:"The evidence: newest first, at most 20."`
	Evidence   []memory.Citation `json:"evidence" doc:"The same with the bytes of each memory that say so; 0 to 0 where the memory as a whole does."`
}

// Subgraph is what lies within some hops of where a walk began.
type Subgraph struct {
	Nodes     []Entity        `json:"nodes" doc:"Nearest first, at most 200."`
	Edges     []edge          `json:"edges" doc:"At most 1000."`
	Memories  []memory.Memory `json:"memories" doc:"The memories the edges rest on, at most 100."`
	Truncated bool            `json:"truncated" doc:"Whether there is more: a bound, or the time a walk has, left something out."`
}

func (f *Function) registerGraph(api huma.API, op func(id, method, path, summary, description string, more ...int) huma.Operation) {
	httpapi.Register(api, op("list-entities", http.MethodGet, "/v1/entities", "List entities",
		"Entities that memories mention, most mentioned first."), f.entities)
	httpapi.Register(api, op("get-entity", http.MethodGet, "/v1/entities/{id}", "Read an entity",
		"The entity: what is true of it at `as_of` (or now), what was true before, what it is joined to, and the memories all of it rests on.",
		http.StatusNotFound), f.entity)
	f.registerNames(api, op)
	httpapi.Register(api, op("query-graph", http.MethodPost, "/v1/graph/query", "Walk the graph of entities",
		"From the named entity, or from every entity a question names, up to `depth` hops along mentions and facts.", http.StatusNotFound), f.walk)
	httpapi.Register(api, op("graph-path", http.MethodPost, "/v1/graph/path", "Find the shortest way between two entities",
		"At most three ways, equally short, with the evidence of each hop. None when there is no way within `max_depth`.", http.StatusNotFound), f.path)
	httpapi.Register(api, op("graph-subgraph", http.MethodPost, "/v1/graph/subgraph", "Cut a part out of the graph",
		"What lies within `depth` hops of all the entities, and every edge between what was reached.", http.StatusNotFound), f.subgraph)
}

type entitiesInput struct {
	httpapi.Scoped
	httpapi.Paged
	AsOf    time.Time `query:"as_of" doc:"Only memories that were true in the world at this time count."`
	KnownAt time.Time `query:"known_at" doc:"Only what RAE held at this time counts."`
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
	if _, err := f.parts.freshness.CatchUp(ctx, in.Scope()); err != nil {
		return nil, err
	}
	nodes, err := f.explorer.Entities(ctx, in.Scope(), viewAt(in.AsOf, in.KnownAt))
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
	ID      string    `path:"id" format:"uuid"`
	AsOf    time.Time `query:"as_of" doc:"Facts are told as they were in the world at this time, and only memories that were true then count."`
	KnownAt time.Time `query:"known_at" doc:"Only what RAE held at this time counts."`
}

type entityOutput struct {
	Body struct {
		Entity
		Identity
		Facts  []knowledge.Fact `json:"facts" doc:"What is true of it, or was at as_of: it is the subject or the object. At most 200."`
		Former []knowledge.Fact `json:"former" doc:"What was true before that and no longer is, what ended last first. At most 200."`
		Subgraph
	}
}

func (f *Function) entity(ctx context.Context, in *entityInput) (*entityOutput, error) {
	view := viewAt(in.AsOf, in.KnownAt)
	sub, err := f.explore(ctx, search.Walk{Scope: in.Scope(), View: view, Start: []string{in.ID}, Depth: 1})
	if err != nil {
		return nil, err
	}
	page, err := f.explorer.About(ctx, in.Scope(), view, in.ID)
	if err != nil {
		return nil, err
	}
	out := &entityOutput{}
	out.Body.Entity, out.Body.Facts, out.Body.Former = Entity(sub.Nodes[0]), page.Facts, page.Former
	sub.Truncated = sub.Truncated || page.Truncated
	var cited []memory.Citation
	for _, facts := range [][]knowledge.Fact{page.Facts, page.Former} {
		for i := range facts {
			cited = append(cited, facts[i].Evidence...)
		}
	}
	if out.Body.Subgraph, err = f.withSupport(ctx, in.Scope(), view, sub, cited); err != nil {
		return nil, err
	}
	out.Body.Identity, err = f.identity(ctx, in.Scope(), sub.Nodes[0].ID)
	return out, err
}

type walkInput struct {
	httpapi.Scoped
	Body struct {
		Entity    string     `json:"entity,omitempty" maxLength:"512" doc:"Name or id of the entity to start from." example:"Alice"`
		Query     string     `json:"query,omitempty" maxLength:"16384" doc:"Or a question: the walk starts from every entity it names."`
		Depth     int        `json:"depth,omitempty" minimum:"1" maximum:"5" default:"2" doc:"Hops."`
		Limit     int        `json:"limit,omitempty" minimum:"1" maximum:"200" default:"200" doc:"Nodes, at most."`
		Relations []string   `json:"relations,omitempty" maxItems:"64" doc:"Only along edges of these relations." example:"[\"works_at\"]"`
		AsOf      *time.Time `json:"as_of,omitempty" doc:"Facts as they were in the world at this time (without it: now); only memories that were true then count."`
		KnownAt   *time.Time `json:"known_at,omitempty" doc:"Only what RAE held at this time counts."`
	}
}

type walkOutput struct{ Body Subgraph }

func (f *Function) walk(ctx context.Context, in *walkInput) (*walkOutput, error) {
	var start []string
	switch scope := in.Scope(); {
	case (in.Body.Entity == "") == (in.Body.Query == ""):
		return nil, fault.BadField("body.entity", "or body.query must be given, and not both")
	case in.Body.Query != "":
		start = search.NamedIn(scope, in.Body.Query)
	default:
		start = append(search.NamedIn(scope, in.Body.Entity), search.EntityNamed(scope, in.Body.Entity))
	}
	view := memory.View{AsOf: in.Body.AsOf, KnownAt: in.Body.KnownAt}
	return f.answer(ctx, search.Walk{
		Scope: in.Scope(), View: view, Start: start, Depth: in.Body.Depth, Relations: in.Body.Relations, Limit: in.Body.Limit,
	})
}

// answer walks and tells the memories the edges rest on.
func (f *Function) answer(ctx context.Context, w search.Walk) (*walkOutput, error) {
	if err := ingest.CheckSelection(&memory.Filter{}, w.View, "body"); err != nil {
		return nil, err
	}
	if err := checkRelations(w.Relations); err != nil {
		return nil, err
	}
	sub, err := f.explore(ctx, w)
	if err != nil {
		return nil, err
	}
	body, err := f.withSupport(ctx, w.Scope, w.View, sub, nil)
	return &walkOutput{body}, err
}

type subgraphInput struct {
	httpapi.Scoped
	Body struct {
		Entities  []string   `json:"entities" minItems:"1" maxItems:"64" doc:"Names or ids. Each must be known." example:"[\"Alice\",\"Bob\"]"`
		Depth     *int       `json:"depth,omitempty" minimum:"0" maximum:"5" doc:"Hops, 1 unless said; 0: the edges between the entities alone."`
		Limit     int        `json:"limit,omitempty" minimum:"1" maximum:"200" default:"200" doc:"Nodes, at most."`
		Relations []string   `json:"relations,omitempty" maxItems:"64" doc:"Only along edges of these relations."`
		AsOf      *time.Time `json:"as_of,omitempty" doc:"Facts as they were in the world at this time (without it: now); only memories that were true then count."`
		KnownAt   *time.Time `json:"known_at,omitempty" doc:"Only what RAE held at this time counts."`
	}
}

func (f *Function) subgraph(ctx context.Context, in *subgraphInput) (*walkOutput, error) {
	view := memory.View{AsOf: in.Body.AsOf, KnownAt: in.Body.KnownAt}
	start, err := f.known(ctx, in.Scope(), view, "body.entities", in.Body.Entities)
	if err != nil {
		return nil, err
	}
	depth := 1
	if in.Body.Depth != nil {
		depth = *in.Body.Depth
	}
	return f.answer(ctx, search.Walk{
		Scope: in.Scope(), View: view, Start: start, Depth: depth, Relations: in.Body.Relations, Limit: in.Body.Limit, Induced: true,
	})
}

// known returns the ids of the entities that are meant, NotFound when one is none.
func (f *Function) known(ctx context.Context, scope memory.Scope, view memory.View, field string, named []string) ([]string, error) {
	ids := make([]string, len(named))
	for i, name := range named {
		if len(name) == 0 || len(name) > 512 {
			return nil, fault.BadField(field, "must be names or ids of 1 to 512 bytes")
		}
		ids[i] = search.EntityNamed(scope, name)
	}
	if _, err := f.parts.freshness.CatchUp(ctx, scope); err != nil {
		return nil, err
	}
	known, err := f.explorer.Known(ctx, scope, view, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if !slices.Contains(known, id) {
			return nil, fault.New(fault.NotFound, "no entity of this project is called %q", named[i])
		}
	}
	return ids, nil
}

type pathInput struct {
	httpapi.Scoped
	Body struct {
		From      string     `json:"from" minLength:"1" maxLength:"512" doc:"Name or id of one end." example:"Alice"`
		To        string     `json:"to" minLength:"1" maxLength:"512" doc:"Name or id of the other." example:"Lisbon"`
		MaxDepth  int        `json:"max_depth,omitempty" minimum:"1" maximum:"6" default:"4" doc:"Hops, at most."`
		Relations []string   `json:"relations,omitempty" maxItems:"64" doc:"Only along edges of these relations."`
		AsOf      *time.Time `json:"as_of,omitempty" doc:"Facts as they were in the world at this time (without it: now); only memories that were true then count."`
		KnownAt   *time.Time `json:"known_at,omitempty" doc:"Only what RAE held at this time counts."`
	}
}

// Path is one way from end to end.
type Path struct {
	Nodes []string `json:"nodes" doc:"Ids of the entities on it, ends included."`
	Hops  [][]edge `json:"hops" doc:"What joins each to the next: at most five edges a hop, facts first."`
}

type pathOutput struct {
	Body struct {
		Paths     []Path          `json:"paths" doc:"Equally short, in the order of their nodes; empty when there is no way."`
		Nodes     []Entity        `json:"nodes" doc:"The entities on them."`
		Memories  []memory.Memory `json:"memories" doc:"The memories the hops rest on, at most 100."`
		Truncated bool            `json:"truncated" doc:"Whether something was not looked at, or there are more ways as short."`
	}
}

func (f *Function) path(ctx context.Context, in *pathInput) (*pathOutput, error) {
	scope, view := in.Scope(), memory.View{AsOf: in.Body.AsOf, KnownAt: in.Body.KnownAt}
	if err := ingest.CheckSelection(&memory.Filter{}, view, "body"); err != nil {
		return nil, err
	}
	if err := checkRelations(in.Body.Relations); err != nil {
		return nil, err
	}
	ends, err := f.known(ctx, scope, view, "body", []string{in.Body.From, in.Body.To})
	if err != nil {
		return nil, err
	}
	w := search.Walk{Scope: scope, View: view, Depth: in.Body.MaxDepth, Relations: in.Body.Relations}
	found, err := f.explorer.Path(ctx, w, ends[0], ends[1])
	if err != nil {
		return nil, err
	}
	out := &pathOutput{}
	out.Body.Paths, out.Body.Nodes, out.Body.Truncated = []Path{}, entitiesOf(found.Nodes), found.Truncated
	var cited []memory.Citation
	for _, p := range found.Paths {
		told := Path{Nodes: p.Nodes, Hops: [][]edge{}}
		for _, hop := range p.Hops {
			told.Hops = append(told.Hops, edgesOf(hop))
			for _, e := range hop {
				cited = append(cited, e.Evidence...)
			}
		}
		out.Body.Paths = append(out.Body.Paths, told)
	}
	out.Body.Memories, err = f.support(ctx, scope, view, cited)
	return out, err
}

func checkRelations(relations []string) error {
	for _, r := range relations {
		if r == "" || len(r) > 64 {
			return fault.BadField("body.relations", "must be of 1 to 64 bytes each")
		}
	}
	return nil
}

func (f *Function) explore(ctx context.Context, w search.Walk) (search.Subgraph, error) {
	if _, err := f.parts.freshness.CatchUp(ctx, w.Scope); err != nil {
		return search.Subgraph{}, err
	}
	return f.explorer.Explore(ctx, w)
}

// withSupport is the subgraph with the memories that its edges, and then others, are cited from.
func (f *Function) withSupport(ctx context.Context, scope memory.Scope, view memory.View, found search.Subgraph, more []memory.Citation) (Subgraph, error) {
	sub := Subgraph{Nodes: entitiesOf(found.Nodes), Edges: edgesOf(found.Edges), Truncated: found.Truncated}
	var cited []memory.Citation
	for _, e := range found.Edges {
		cited = append(cited, e.Evidence...)
	}
	var err error
	sub.Memories, err = f.support(ctx, scope, view, append(more, cited...))
	return sub, err
}

func entitiesOf(nodes []search.Node) []Entity {
	told := []Entity{}
	for _, n := range nodes {
		told = append(told, Entity(n))
	}
	return told
}

func edgesOf(edges []search.Edge) []edge {
	told := []edge{}
	for _, e := range edges {
		ids := make([]memory.ID, len(e.Evidence))
		for i, c := range e.Evidence {
			ids[i] = c.MemoryID
		}
		told = append(told, edge{e.From, e.To, e.Relation, e.Fact, e.ValidFrom, e.ValidTo, e.Confidence, ids, append([]memory.Citation{}, e.Evidence...)})
	}
	return told
}

// maxSupport bounds how many supporting memories an answer carries in full; the edges name the rest by id.
const maxSupport = 100

// support reads the memories that are cited, as they were known then: what was true at another time than asked is evidence
// still.
func (f *Function) support(ctx context.Context, scope memory.Scope, view memory.View, cited []memory.Citation) ([]memory.Memory, error) {
	var ids []memory.ID
	seen := map[memory.ID]bool{}
	for _, c := range cited {
		if len(ids) < maxSupport && !seen[c.MemoryID] {
			seen[c.MemoryID] = true
			ids = append(ids, c.MemoryID)
		}
	}
	if len(ids) == 0 {
		return []memory.Memory{}, nil
	}
	return f.service.Memories.Find(ctx, scope, ids, memory.View{KnownAt: view.KnownAt})
}

func viewAt(asOf, knownAt time.Time) memory.View {
	var view memory.View
	if !asOf.IsZero() {
		view.AsOf = &asOf
	}
	if !knownAt.IsZero() {
		view.KnownAt = &knownAt
	}
	return view
}

package search

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// Routes that cursors are made for.
const (
	mergesRoute      = "GET /v1/entities/merges"
	suggestionsRoute = "GET /v1/entities/suggestions"
)

// Identity is whom an entity stands for and who stands for it.
type Identity struct {
	CanonicalID string   `json:"canonical_id" format:"uuid" doc:"The entity that stands for it: itself, unless it was merged into another. Its own id goes on answering."`
	Aliases     []string `json:"aliases" doc:"Other names memories give it, or whatever was merged with it."`
	MergedFrom  []string `json:"merged_from" doc:"Ids of the entities that are one with it."`
}

func (f *Function) registerNames(api huma.API, op func(id, method, path, summary, description string, more ...int) huma.Operation) {
	change := func(id, path, summary, description string, more ...int) huma.Operation {
		o := op(id, http.MethodPost, path, summary, description, more...)
		o.DefaultStatus = http.StatusOK
		return o
	}
	httpapi.Register(api, change("merge-entity", "/v1/entities/{id}/merge", "Merge an entity into another",
		"Both, and all that are one with either, are one from now on, and whoever stands for `into` stands for all. Ids stay. Where "+
			"they are one already nothing changes. 409 where more than 256 would be one.", http.StatusNotFound, http.StatusConflict), f.merge)
	httpapi.Register(api, change("split-entity", "/v1/entities/{id}/split", "Split an entity",
		"What is named leaves whatever it is one with and stays together. No merge by rules brings it back.", http.StatusNotFound), f.split)
	httpapi.Register(api, op("list-merges", http.MethodGet, mergesRoute[4:], "List merges and splits",
		"What was decided about who is who, the last first, with who decided and why."), f.merges)
	httpapi.Register(api, change("undo-merge", "/v1/entities/merges/{id}/undo", "Undo a merge or a split",
		"Brings back what there would be without it, whatever was decided since. What was undone no merge by rules does again. "+
			"Repeating it changes nothing.", http.StatusNotFound), f.undo)
	httpapi.Register(api, op("list-suggestions", http.MethodGet, suggestionsRoute[4:], "List suggested merges",
		"Pairs that may be one, the most likely first: too uncertain to be merged without somebody's word."), f.suggestions)
}

// identity reads who an entity is one with. It is alone where the register knows nothing of it.
func (f *Function) identity(ctx context.Context, scope memory.Scope, id string) (Identity, error) {
	told := Identity{CanonicalID: id, Aliases: []string{}, MergedFrom: []string{}}
	members, err := f.group(ctx, scope, id)
	if err != nil {
		return told, err
	}
	told.CanonicalID = members[0]
	entities, err := f.names.FindEntities(ctx, scope, members)
	if err != nil {
		return told, err
	}
	own := ""
	for _, e := range entities {
		if e.ID == id {
			own = e.Name
		}
		told.Aliases = append(append(told.Aliases, e.Name), e.Aliases...)
	}
	slices.Sort(told.Aliases)
	told.Aliases = slices.DeleteFunc(slices.Compact(told.Aliases), func(name string) bool { return name == own })
	for _, member := range members {
		if member != id {
			told.MergedFrom = append(told.MergedFrom, member)
		}
	}
	return told, nil
}

// group is the ids that are one with the id, whoever stands for them first; the id alone where nobody is.
func (f *Function) group(ctx context.Context, scope memory.Scope, id string) ([]string, error) {
	groups, err := f.names.Groups(ctx, scope, []string{id})
	if err != nil || len(groups) == 0 {
		return []string{id}, err
	}
	return groups[0].Members, nil
}

// exists fails with NotFound unless memories mention the entity, or something was decided about it.
func (f *Function) exists(ctx context.Context, scope memory.Scope, id string) error {
	members, err := f.group(ctx, scope, id)
	if err != nil || len(members) > 1 {
		return err
	}
	if found, err := f.names.FindEntities(ctx, scope, members); err != nil || len(found) > 0 {
		return err
	}
	_, err = f.explore(ctx, search.Walk{Scope: scope, Start: []string{id}})
	return err
}

// entityID is the id of what is given by id or by name.
func entityID(scope memory.Scope, given string) string {
	if id, ok := memory.ParseID(given); ok {
		return string(id)
	}
	return relevance.EntityID(scope, relevance.EntityKey(given))
}

// OneEntity is the path of a change of an entity; exported, like the other parts of inputs, for huma to see its fields.
// Changes take a key like every other and need not remember it: what is done already is answered as it was.
type OneEntity struct {
	httpapi.Scoped
	httpapi.Idempotent
	ID string `path:"id" format:"uuid"`
}

type decisionOutput struct {
	Body struct {
		knowledge.Decision
		CanonicalID string `json:"canonical_id" format:"uuid" doc:"Who stands for the entity of the path now."`
	}
}

type mergeInput struct {
	OneEntity
	Body struct {
		Into   string `json:"into" minLength:"1" maxLength:"512" doc:"Id or name of the entity it is to be one with." example:"Robert Bell"`
		Reason string `json:"reason,omitempty" maxLength:"250" doc:"Why; kept with the merge."`
	}
}

func (f *Function) merge(ctx context.Context, in *mergeInput) (*decisionOutput, error) {
	scope, id, into := in.Scope(), strings.ToLower(in.ID), entityID(in.Scope(), in.Body.Into)
	if id == into {
		return nil, fault.BadField("body.into", "must be another entity")
	}
	if err := f.exists(ctx, scope, id); err != nil {
		return nil, err
	}
	if err := f.exists(ctx, scope, into); fault.KindOf(err) == fault.NotFound {
		return nil, fault.BadField("body.into", "is no entity of this project")
	} else if err != nil {
		return nil, err
	}
	outcomes, err := f.names.Unite(ctx, scope, []knowledge.Merge{{From: id, Into: into, Grounds: grounds(ctx, in.Body.Reason)}})
	if err != nil {
		return nil, err
	}
	if outcomes[0].Err != nil {
		return nil, outcomes[0].Err
	}
	made := outcomes[0].Decision
	if made.ID == "" {
		if made, err = f.madeBefore(ctx, scope, id, func(d *knowledge.Decision) bool { return d.Kind == knowledge.Merged && d.Concerns(into) }); err != nil {
			return nil, err
		}
	}
	return f.decided(ctx, scope, id, made)
}

func grounds(ctx context.Context, reason string) knowledge.Grounds {
	return knowledge.Grounds{By: auth.PrincipalOf(ctx).Subject, Method: knowledge.ByPerson, Reason: reason, Score: 1}
}

// madeBefore is the last decision about the id that holds and is as asked; the zero one where there is none.
func (f *Function) madeBefore(ctx context.Context, scope memory.Scope, id string, is func(*knowledge.Decision) bool) (knowledge.Decision, error) {
	all, err := f.names.Decisions(ctx, scope, knowledge.DecisionQuery{Entity: id, Limit: 1000})
	for i := range all {
		if all[i].UndoneAt == nil && is(&all[i]) {
			return all[i], err
		}
	}
	return knowledge.Decision{}, err
}

func (f *Function) decided(ctx context.Context, scope memory.Scope, id string, d knowledge.Decision) (*decisionOutput, error) {
	members, err := f.group(ctx, scope, id)
	out := &decisionOutput{}
	out.Body.Decision, out.Body.CanonicalID = d, members[0]
	return out, err
}

type splitInput struct {
	OneEntity
	Body struct {
		Members []string `json:"members,omitempty" maxItems:"256" doc:"Ids of those that are another; they stay together."`
		Names   []string `json:"names,omitempty" maxItems:"256" doc:"Or their names." example:"[\"Rob Ball\"]"`
		Reason  string   `json:"reason,omitempty" maxLength:"250" doc:"Why; kept with the split."`
	}
}

func (f *Function) split(ctx context.Context, in *splitInput) (*decisionOutput, error) {
	scope, id := in.Scope(), strings.ToLower(in.ID)
	if (len(in.Body.Members) == 0) == (len(in.Body.Names) == 0) {
		return nil, fault.BadField("body.members", "or body.names must be given, and not both")
	}
	if err := f.exists(ctx, scope, id); err != nil {
		return nil, err
	}
	group, err := f.group(ctx, scope, id)
	if err != nil {
		return nil, err
	}
	var leave []string
	field := func(i int) string { return fmt.Sprintf("body.members[%d]", i) }
	for _, member := range in.Body.Members {
		leave = append(leave, strings.ToLower(member))
	}
	for _, name := range in.Body.Names {
		field = func(i int) string { return fmt.Sprintf("body.names[%d]", i) }
		leave = append(leave, entityID(scope, name))
	}
	for i, member := range leave {
		if slices.Contains(group, member) {
			continue
		}
		before, err := f.madeBefore(ctx, scope, id, func(d *knowledge.Decision) bool {
			return d.Kind == knowledge.Parted && slices.Equal(d.Members, leave)
		})
		if err != nil {
			return nil, err
		}
		if before.ID != "" {
			return f.decided(ctx, scope, id, before)
		}
		return nil, fault.BadField(field(i), "is not one with the entity")
	}
	made, err := f.names.Split(ctx, scope, knowledge.Split{Members: leave, Grounds: grounds(ctx, in.Body.Reason)})
	if err != nil {
		return nil, err
	}
	return f.decided(ctx, scope, id, made)
}

type mergesInput struct {
	httpapi.Scoped
	httpapi.Paged
	Entity string `query:"entity" maxLength:"512" doc:"Only what was decided about this one, by id or name."`
}

type mergesOutput struct {
	Body struct {
		Merges     []knowledge.Decision `json:"merges"`
		NextCursor string               `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) merges(ctx context.Context, in *mergesInput) (*mergesOutput, error) {
	after, err := in.After(in.Scope(), mergesRoute)
	if err != nil {
		return nil, err
	}
	q := knowledge.DecisionQuery{Limit: in.Limit + 1}
	if in.Entity != "" {
		q.Entity = entityID(in.Scope(), in.Entity)
	}
	if after != "" {
		if q.Before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, fault.BadField("query.cursor", "is none of this list")
		}
	}
	page, err := f.names.Decisions(ctx, in.Scope(), q)
	if err != nil {
		return nil, err
	}
	out := &mergesOutput{}
	out.Body.Merges = append([]knowledge.Decision{}, page[:min(in.Limit, len(page))]...)
	if len(page) > in.Limit {
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), mergesRoute, strconv.FormatInt(page[in.Limit-1].Number, 10))
	}
	return out, nil
}

func (f *Function) undo(ctx context.Context, in *OneEntity) (*decisionOutput, error) {
	d, err := f.names.Undo(ctx, in.Scope(), strings.ToLower(in.ID), auth.PrincipalOf(ctx).Subject)
	if err != nil {
		return nil, err
	}
	return f.decided(ctx, in.Scope(), d.Members[0], d)
}

type suggestionsInput struct {
	httpapi.Scoped
	httpapi.Paged
}

// Suggestion is a pair that may be one.
type Suggestion struct {
	A      Entity    `json:"a"`
	B      Entity    `json:"b"`
	Score  float64   `json:"score" minimum:"0" maximum:"1" doc:"How likely they are one."`
	Reason string    `json:"reason" doc:"What speaks for it."`
	At     time.Time `json:"at"`
}

type suggestionsOutput struct {
	Body struct {
		Suggestions []Suggestion `json:"suggestions"`
		NextCursor  string       `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) suggestions(ctx context.Context, in *suggestionsInput) (*suggestionsOutput, error) {
	after, err := in.After(in.Scope(), suggestionsRoute)
	if err != nil {
		return nil, err
	}
	all, err := f.names.Suggestions(ctx, in.Scope(), knowledge.MaxSuggestions)
	if err != nil {
		return nil, err
	}
	if after != "" {
		at := slices.IndexFunc(all, func(s knowledge.Suggestion) bool { return s.A+s.B == after })
		if at < 0 {
			return nil, fault.BadField("query.cursor", "points at a suggestion that is settled; start anew")
		}
		all = all[at+1:]
	}
	page := all[:min(in.Limit, len(all))]
	ids := []string{}
	for _, s := range page {
		ids = append(ids, s.A, s.B)
	}
	found, err := f.names.FindEntities(ctx, in.Scope(), ids)
	if err != nil {
		return nil, err
	}
	byID := map[string]Entity{}
	for _, e := range found {
		byID[e.ID] = Entity{ID: e.ID, Name: e.Name, Type: e.Type, Mentions: e.Mentions}
	}
	out := &suggestionsOutput{}
	out.Body.Suggestions = []Suggestion{}
	for _, s := range page {
		out.Body.Suggestions = append(out.Body.Suggestions, Suggestion{A: byID[s.A], B: byID[s.B], Score: s.Score, Reason: s.Reason, At: s.At})
	}
	if len(all) > in.Limit {
		last := page[len(page)-1]
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), suggestionsRoute, last.A+last.B)
	}
	return out, nil
}

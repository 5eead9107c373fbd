package reflection

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// covered is the share of a draft's sources from which on a standing memory already stands for it.
const covered = 0.7

// shape is how the memories of a kind look: the layer and tag they are found by.
type shape struct {
	layer memory.Layer
	tag   string
}

// shapeOf is the one table from kinds to shapes.
var shapeOf = map[Kind]shape{
	Insight:     {memory.Reflective, "insight"},
	Consolidate: {memory.Reflective, "consolidated"},
	Extract:     {memory.Semantic, "extracted"},
	Promote:     {memory.Semantic, "promoted"},
	Summarize:   {memory.LongTerm, "summary"},
}

// draft is a memory about to be derived.
type draft struct {
	content    string
	topic      string
	tags       []string // beside the kind's own
	entities   []memory.Entity
	count      int     // memories it speaks of
	novelty    float64 // share of its sources that no standing memory cites
	importance func(novelty float64) float64
	quotes     []quote

	// Of insights, which a language model may put into words:
	head     string  // what it begins with
	evidence []quote // what its id follows from, whatever is quoted in the end; nil: the quotes
	shown    []quote // what the model is shown
	edition  string  // of the prompt; "" = no model said anything of it
	flags    []string
}

// quote is a span of a memory that stands verbatim in a draft.
type quote struct {
	memory     *memory.Memory
	start, end int
}

func (q quote) text() string { return q.memory.Content[q.start:q.end] }

// derive reads the window, drafts memories of the reflection's kind and tells of those that do not stand yet.
func (s *Service) derive(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	var f found
	memories, more, err := s.read(ctx, scope, r)
	if err != nil {
		return found{}, err
	}
	if more {
		f.degraded = append(f.degraded, "window")
	}
	c := newCorpus(memories)
	if c.clipped {
		f.degraded = append(f.degraded, "long_content")
	}
	drafts, err := draftsOf(ctx, r.Kind, c)
	if err != nil {
		return found{}, err
	}
	return s.tellOf(ctx, scope, r, drafts, f)
}

// tellOf adds to what was found the memories that the drafts are: those that stand, and those to be told of.
func (s *Service) tellOf(ctx context.Context, scope memory.Scope, r *Reflection, drafts []draft, f found) (found, error) {
	standing, err := s.standing(ctx, scope, r.Kind, drafts)
	if err != nil {
		return found{}, err
	}
	var fresh []*draft
	for i := range drafts {
		d := &drafts[i]
		if known, novelty := standsFor(standing, d, d.id(scope, r.Kind)); known == nil {
			d.novelty = novelty
			fresh = append(fresh, d)
		} else if !slices.Contains(f.ids, known.ID) {
			f.ids = append(f.ids, known.ID)
			f.sources = append(f.sources, known.DerivedFrom...)
		}
	}
	f.method = Extractive
	if r.Kind == Insight && s.speaks() {
		degraded, err := s.write(ctx, scope, r, fresh)
		if err != nil {
			return found{}, err
		}
		f.degraded = append(f.degraded, degraded...)
	}
	for _, d := range fresh {
		if !d.grounded() {
			s.log().ErrorContext(ctx, "draft dropped: its citations do not hold", "reflection", r.ID)
			f.degraded = append(f.degraded, "grounding")
			continue
		}
		if slices.ContainsFunc(d.quotes, func(q quote) bool { return s.commands(q.memory) }) {
			d.flags = append(d.flags, "injection")
		}
		if d.edition != "" {
			f.method = LLM
		}
		m := d.memory(scope, r.Kind, d.novelty)
		record, err := derived(m, r.ID)
		if err != nil {
			return found{}, err
		}
		f.ids = append(f.ids, m.ID)
		f.sources = append(f.sources, m.DerivedFrom...)
		f.records = append(f.records, record)
	}
	if len(f.records) > 0 {
		record, err := created(r, f.ids)
		if err != nil {
			return found{}, err
		}
		f.records = append(f.records, record)
	}
	return f, nil
}

// draftsOf drafts the memories of the kind. ctx is asked between the stages, each of which is bounded.
func draftsOf(ctx context.Context, kind Kind, c *corpus) ([]draft, error) {
	var drafts []draft
	for _, part := range partitions(c.documents) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("draft memories: %w", err)
		}
		switch kind {
		case Insight:
			drafts = append(drafts, c.insights(part)...)
		case Consolidate:
			drafts = append(drafts, c.duplicates(part)...)
		case Extract:
			drafts = append(drafts, c.mentions(part)...)
		case Promote:
			drafts = append(drafts, c.promotions(part)...)
		}
	}
	limit := map[Kind]int{Insight: maxInsights, Consolidate: maxGroups, Extract: maxEntities, Promote: maxGroups}[kind]
	if len(drafts) > limit {
		slices.SortStableFunc(drafts, func(a, b draft) int { return cmp.Compare(b.importance(1), a.importance(1)) })
		drafts = drafts[:limit]
	}
	return drafts, nil
}

// read returns the newest memories of the reflection's window that somebody told (nothing derived: reflections are
// not reflected upon), and whether there were more.
func (s *Service) read(ctx context.Context, scope memory.Scope, r *Reflection) ([]memory.Memory, bool, error) {
	window := r.window()
	if r.Kind == Promote && window.Archived == memory.WithoutArchived {
		window.Archived = memory.WithArchived // what was told was told, though it has been merged or forgotten since
	}
	page, err := s.Memories.List(ctx, scope, memory.Query{Filter: window, Limit: windowSize})
	if err != nil {
		return nil, false, fmt.Errorf("read the memories of reflection %s: %w", r.ID, err)
	}
	now := s.now()
	told := slices.DeleteFunc(page.Memories, func(m memory.Memory) bool {
		return m.Scope() != scope || m.Expired(now) || !toldBySomebody(&m)
	})
	return told, page.Next != "", nil
}

// toldBySomebody reports whether m came from outside rather than from a reflection. Nothing else is read, counted or
// rewritten here, so no reflection can feed on reflections.
func toldBySomebody(m *memory.Memory) bool {
	return m.Layer != memory.Reflective && len(m.DerivedFrom) == 0
}

// standing reads the memories of the kind that are already there: the newest, and those the drafts would be.
func (s *Service) standing(ctx context.Context, scope memory.Scope, kind Kind, drafts []draft) ([]memory.Memory, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	shape := shapeOf[kind]
	page, err := s.Memories.List(ctx, scope, memory.Query{
		Filter: memory.Filter{Layers: []memory.Layer{shape.layer}, Tags: []string{shape.tag}, Archived: memory.WithArchived}, Limit: windowSize,
	})
	if err != nil {
		return nil, fmt.Errorf("read standing %s memories: %w", shape.tag, err)
	}
	ids := make([]memory.ID, len(drafts))
	for i := range drafts {
		ids[i] = drafts[i].id(scope, kind)
	}
	exact, err := s.Memories.Find(ctx, scope, ids, memory.View{})
	if err != nil {
		return nil, fmt.Errorf("find standing %s memories: %w", shape.tag, err)
	}
	return append(exact, page.Memories...), nil
}

// standsFor returns the standing memory that already stands for the draft, if one does, and the draft's novelty: the
// smallest share of its sources that no single standing memory of the kind cites.
func standsFor(standing []memory.Memory, d *draft, id memory.ID) (*memory.Memory, float64) {
	sources := map[memory.ID]bool{}
	for _, q := range d.quotes {
		sources[q.memory.ID] = true
	}
	novelty := 1.0
	for i := range standing {
		m := &standing[i]
		if m.ID == id {
			return m, 0
		}
		owner := d.quotes[0].memory
		if m.UserID != owner.UserID || m.AgentID != owner.AgentID || d.entities != nil && m.Metadata["topic"] != d.topic {
			continue
		}
		cited := map[memory.ID]bool{}
		for _, c := range m.DerivedFrom {
			if sources[c.MemoryID] {
				cited[c.MemoryID] = true
			}
		}
		share := float64(len(cited)) / float64(len(sources))
		if share >= covered {
			return m, 0
		}
		novelty = min(novelty, 1-share)
	}
	return nil, novelty
}

// grounded reports whether every citation holds: the bytes it points at stand in the draft as they are.
func (d *draft) grounded() bool {
	for _, q := range d.quotes {
		if q.start < 0 || q.end <= q.start || q.end > len(q.memory.Content) || !strings.Contains(d.content, q.text()) {
			return false
		}
	}
	return len(d.quotes) > 0
}

// id follows from the scope, the kind and the evidence, so the same evidence never makes two memories. It has the form
// of a UUIDv7 of the newest source's storing, so that derived memories sort beside what they rest on.
func (d *draft) id(scope memory.Scope, kind Kind) memory.ID {
	sum := sha256.New()
	newest := time.Time{}
	for _, part := range []string{scope.Tenant, scope.Project, string(kind), d.topicKey()} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	evidence := d.evidence
	if evidence == nil {
		evidence = d.quotes
	}
	for _, q := range evidence {
		fmt.Fprintf(sum, "%s:%d-%d;", q.memory.ID, q.start, q.end)
		if q.memory.CreatedAt.After(newest) {
			newest = q.memory.CreatedAt
		}
	}
	id := uuid.UUID(sum.Sum(nil)[:16])
	milliseconds := uint64(newest.UnixMilli())
	for i := range 6 {
		id[i] = byte(milliseconds >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return memory.ID(id.String())
}

// topicKey tells entities apart that are quoted from the same sentences; insights are told apart by their quotes.
func (d *draft) topicKey() string {
	if d.entities == nil {
		return ""
	}
	return d.topic
}

// memory is the draft as a memory. It says nothing of the run that made it: made again, it is the same.
func (d *draft) memory(scope memory.Scope, kind Kind, novelty float64) memory.Memory {
	shape := shapeOf[kind]
	m := memory.Memory{
		ID: d.id(scope, kind), TenantID: scope.Tenant, ProjectID: scope.Project,
		Content: d.content, Layer: shape.layer, Tags: union([]string{shape.tag}, d.tags),
		Metadata: memory.Metadata{
			"kind": string(kind), "topic": d.topic, "sources": d.count, "method": string(Extractive),
		},
		Importance: d.importance(novelty), Source: "reflection", Entities: d.entities,
		UserID: d.quotes[0].memory.UserID, AgentID: d.quotes[0].memory.AgentID,
	}
	if d.edition != "" {
		m.Metadata["method"], m.Metadata["edition"] = string(LLM), d.edition
	}
	if len(d.flags) > 0 {
		m.Metadata["flags"] = d.flags
	}
	for _, q := range d.quotes {
		m.DerivedFrom = append(m.DerivedFrom, memory.Citation{MemoryID: q.memory.ID, Start: q.start, End: q.end})
	}
	return m
}

// derived tells the store function of a memory to keep.
func derived(m memory.Memory, reflection memory.ID) (outbox.Record, error) {
	data, err := json.Marshal(struct {
		Memory     memory.Memory `json:"memory"`
		Reflection memory.ID     `json:"reflection_id"`
	}{m, reflection})
	if err != nil {
		return outbox.Record{}, fault.Wrap(fault.Internal, err, "encode derived memory %s", m.ID)
	}
	return outbox.Record{Type: outbox.MemoryDerived, Subject: string(m.ID), Data: data}, nil
}

// created tells whoever cares that a reflection has come to something.
func created(r *Reflection, ids []memory.ID) (outbox.Record, error) {
	data, err := json.Marshal(struct {
		Reflection memory.ID   `json:"reflection_id"`
		Kind       Kind        `json:"kind"`
		MemoryIDs  []memory.ID `json:"memory_ids"`
	}{r.ID, r.Kind, ids})
	if err != nil {
		return outbox.Record{}, fault.Wrap(fault.Internal, err, "encode reflection %s", r.ID)
	}
	return outbox.Record{Type: outbox.ReflectionCreated, Subject: string(r.ID), Data: data}, nil
}

// due asks for a worker to be woken for the scope's queue.
func due(scope memory.Scope) (outbox.Record, error) {
	data, err := json.Marshal(scope)
	if err != nil {
		return outbox.Record{}, fault.Wrap(fault.Internal, err, "encode a scope")
	}
	return outbox.Record{Type: outbox.ReflectionDue, Data: data}, nil
}

// period names the days the memories happened on, or nothing when nobody said for any of them.
func period(documents []*document) string {
	var first, last *time.Time
	for _, d := range documents {
		at := d.memory.OccurredAt
		if at == nil {
			continue
		}
		if first == nil || at.Before(*first) {
			first = at
		}
		if last == nil || at.After(*last) {
			last = at
		}
	}
	if first == nil {
		return ""
	}
	from, to := first.UTC().Format(time.DateOnly), last.UTC().Format(time.DateOnly)
	if from == to {
		return from
	}
	return from + " to " + to
}

// heading joins the non-empty parts in brackets: "(7 memories, 2025-03-01 to 2025-03-14)".
func heading(count int, documents []*document) string {
	head := plural(count, "memory")
	if days := period(documents); days != "" {
		head += ", " + days
	}
	return "(" + head + ")"
}

// plural counts a noun.
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y") && !strings.HasSuffix(noun, "ay"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// line is one quote with its day, where that is known.
func line(q quote) string {
	day := ""
	if at := q.memory.OccurredAt; at != nil {
		day = at.UTC().Format(time.DateOnly) + ": "
	}
	return "\n- " + day + "\"" + q.text() + "\""
}

package qdrant

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/memory"
)

// kept is a point as Qdrant holds it.
type kept struct {
	id         memory.ID
	seq        memory.Seq
	generation string
	expires    int64
	misplaced  bool // its id is not that of the memory it names
	vector     []float32
}

func (t TenantIndex) keptOf(p *api.RetrievedPoint) kept {
	payload := p.GetPayload()
	vector := p.GetVectors().GetVectors().GetVectors()[t.index.vector]
	values := vector.GetDense().GetData()
	if values == nil {
		//lint:ignore SA1019 servers of 1.16 may still answer in the older field
		values = vector.GetData()
	}
	id := memory.ID(payload[fieldMemory].GetStringValue())
	return kept{
		id: id, misplaced: p.GetId().GetUuid() != pointID(t.scope, id).GetUuid(), seq: memory.Seq(payload[fieldSeq].GetIntegerValue()),
		generation: payload[fieldGeneration].GetStringValue(), expires: payload[fieldExpires].GetIntegerValue(), vector: values,
	}
}

// get reads the points of memories, with their vectors; what is not there is left out.
func (t TenantIndex) get(ctx context.Context, ids []memory.ID) (map[memory.ID]kept, error) {
	t.filter() // whose points they are
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer, err := t.index.points.Get(ctx, &api.GetPoints{
		CollectionName: t.index.name, Ids: t.pointIDs(ids), WithPayload: api.NewWithPayload(true), WithVectors: api.NewWithVectors(true),
	})
	if err != nil {
		return nil, err
	}
	points := map[memory.ID]kept{}
	for _, p := range answer.GetResult() {
		k := t.keptOf(p)
		points[k.id] = k
	}
	return points, nil
}

// scroll visits every point of the scope, a page at a time, without vectors.
func (t TenantIndex) scroll(ctx context.Context, visit func([]kept) error) error {
	return t.index.scroll(ctx, t.filter(), func(points []*api.RetrievedPoint) error {
		page := make([]kept, len(points))
		for i, p := range points {
			page[i] = t.keptOf(p)
		}
		return visit(page)
	})
}

// scroll visits the points that pass, a page at a time.
func (x *Index) scroll(ctx context.Context, passes *api.Filter, visit func([]*api.RetrievedPoint) error) error {
	var from *api.PointId
	for {
		bounded, cancel := context.WithTimeout(ctx, writeTimeout)
		answer, err := x.points.Scroll(bounded, &api.ScrollPoints{
			CollectionName: x.name, Filter: passes, Offset: from, Limit: api.PtrOf(uint32(projectPage)), WithPayload: api.NewWithPayload(true),
		})
		cancel()
		if err != nil {
			return away(err)
		}
		if err := visit(answer.GetResult()); err != nil {
			return err
		}
		if from = answer.GetNextPageOffset(); from == nil {
			return nil
		}
	}
}

// strays visits the scopes that have points and that the store does not know, of one tenant or of all (""), with how
// many points there are. It is the one search over all tenants, for whoever keeps the index, never for an answer.
func (p *Projector) strays(ctx context.Context, tenant string, visit func(scope memory.Scope, points int) error) error {
	passes := &api.Filter{}
	if tenant != "" {
		passes.Must = append(passes.Must, api.NewMatchKeyword(fieldTenant, tenant))
	}
	counts := map[memory.Scope]int{}
	err := p.Index.scroll(ctx, passes, func(points []*api.RetrievedPoint) error {
		for _, point := range points {
			payload := point.GetPayload()
			counts[memory.Scope{Tenant: payload[fieldTenant].GetStringValue(), Project: payload[fieldProject].GetStringValue()}]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, scope := range slices.SortedFunc(maps.Keys(counts), func(a, b memory.Scope) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Project, b.Project))
	}) {
		if scope.Tenant == "" || scope.Project == "" {
			continue // not RAE's
		}
		head, err := p.Feed.Head(ctx, scope)
		if err != nil {
			return fmt.Errorf("read head of %s: %w", scope, err)
		}
		if head == 0 {
			if err := visit(scope, counts[scope]); err != nil {
				return err
			}
		}
	}
	return nil
}

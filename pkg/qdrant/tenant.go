package qdrant

import (
	"context"
	"fmt"
	"math"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// TenantIndex is the part of an index that belongs to one scope, and the only way to its points: every request it makes
// names tenant and project. The zero TenantIndex belongs to nobody, and its methods panic.
type TenantIndex struct {
	index *Index
	scope memory.Scope
}

// Tenant returns the part of the scope.
func (x *Index) Tenant(scope memory.Scope) TenantIndex { return TenantIndex{x, scope} }

// filter is the scope's conditions with more.
func (t TenantIndex) filter(more ...*api.Condition) *api.Filter {
	if t.index == nil || t.scope.Tenant == "" || t.scope.Project == "" {
		panic("qdrant: points can only be reached by tenant and project")
	}
	must := []*api.Condition{api.NewMatchKeyword(fieldTenant, t.scope.Tenant), api.NewMatchKeyword(fieldProject, t.scope.Project)}
	return &api.Filter{Must: append(must, more...)}
}

// row is a point a search found. Its score is a cosine.
type row struct {
	id    memory.ID
	score float64
}

// searchWidth is how many candidates a graph search keeps, at least.
const searchWidth = 128

// nearest returns up to limit points nearest to q.Vector. Rows that cannot be right are left out; when that leaves fewer
// than were asked for, there may be more that were not told, and the answer as a whole is an error.
func (t TenantIndex) nearest(ctx context.Context, generation string, q *search.Query, limit int, now time.Time) ([]row, error) {
	answer, err := t.index.points.Query(ctx, &api.QueryPoints{
		CollectionName: t.index.name,
		Query:          api.NewQueryDense(q.Vector),
		Using:          &t.index.vector,
		Filter:         t.filter(conditions(q, now)...),
		Limit:          api.PtrOf(uint64(limit)),
		Params:         &api.SearchParams{HnswEf: api.PtrOf(uint64(max(searchWidth, limit)))},
		WithPayload:    api.NewWithPayloadInclude(fieldTenant, fieldProject, fieldMemory, fieldGeneration),
	})
	if err != nil {
		return nil, err
	}
	rows, dropped := t.believe(generation, answer.GetResult())
	if len(rows) > limit {
		dropped["surplus"] += len(rows) - limit
	}
	lost := 0
	for reason, n := range dropped {
		lost += n
		t.index.dropped(reason, n)
	}
	if dropped["generation"] > 0 {
		t.index.known.Store(nil)
	}
	if lost > 0 && len(rows) < limit {
		return nil, fmt.Errorf("%d of %d rows could not be right: %v", lost, len(answer.GetResult()), dropped)
	}
	return rows, nil
}

// believe sorts out the rows that may be taken, and counts the others by what is wrong with them.
func (t TenantIndex) believe(generation string, answer []*api.ScoredPoint) (rows []row, dropped map[string]int) {
	dropped = map[string]int{}
	seen := map[memory.ID]bool{}
	for _, p := range answer {
		payload := p.GetPayload()
		id, ok := memory.ParseID(payload[fieldMemory].GetStringValue())
		score := float64(p.GetScore())
		switch {
		case payload[fieldTenant].GetStringValue() != t.scope.Tenant || payload[fieldProject].GetStringValue() != t.scope.Project:
			dropped["foreign"]++
		case !ok || p.GetId().GetUuid() != pointID(t.scope, id).GetUuid():
			dropped["unreadable"]++
		case payload[fieldGeneration].GetStringValue() != generation:
			dropped["generation"]++
		case math.IsNaN(score) || math.IsInf(score, 0):
			dropped["nan"]++
		case seen[id]:
			dropped["duplicate"]++
		default:
			seen[id] = true
			rows = append(rows, row{id, score})
		}
	}
	return rows, dropped
}

// put writes points over what stood under their ids.
func (t TenantIndex) put(ctx context.Context, generation string, changes []*memory.Change) error {
	t.filter() // whose points they are
	if len(changes) == 0 {
		return nil
	}
	points := make([]*api.PointStruct, len(changes))
	for i, c := range changes {
		points[i] = &api.PointStruct{
			Id: pointID(t.scope, c.Version.ID), Payload: payloadOf(t.scope, generation, c),
			Vectors: api.NewVectorsMap(map[string]*api.Vector{t.index.vector: api.NewVectorDense(c.Vector)}),
		}
	}
	return t.change(ctx, func(ctx context.Context) (*api.PointsOperationResponse, error) {
		return t.index.points.Upsert(ctx, &api.UpsertPoints{CollectionName: t.index.name, Wait: api.PtrOf(true), Points: points})
	})
}

// remove deletes the memories' points. The filter keeps even a wrong id from reaching another scope's.
func (t TenantIndex) remove(ctx context.Context, ids []memory.ID) error {
	if len(ids) == 0 {
		return nil
	}
	return t.delete(ctx, t.filter(api.NewHasID(t.pointIDs(ids)...)))
}

// drop deletes everything of the scope.
func (t TenantIndex) drop(ctx context.Context) error { return t.delete(ctx, t.filter()) }

func (t TenantIndex) delete(ctx context.Context, chosen *api.Filter) error {
	return t.change(ctx, func(ctx context.Context) (*api.PointsOperationResponse, error) {
		return t.index.points.Delete(ctx, &api.DeletePoints{
			CollectionName: t.index.name, Wait: api.PtrOf(true), Points: api.NewPointsSelectorFilter(chosen),
		})
	})
}

// change makes one change and sees that it is done, not only taken note of.
func (t TenantIndex) change(ctx context.Context, call func(context.Context) (*api.PointsOperationResponse, error)) error {
	return t.index.writing.do(ctx, writeTimeout, func(ctx context.Context) error {
		answer, err := call(ctx)
		return completed(answer, err)
	})
}

func completed(answer *api.PointsOperationResponse, err error) error {
	if err != nil {
		return err
	}
	if state := answer.GetResult().GetStatus(); state != api.UpdateStatus_Completed {
		return status.Errorf(codes.Unavailable, "a change that was waited for is only %s", state)
	}
	return nil
}

func (t TenantIndex) pointIDs(ids []memory.ID) []*api.PointId {
	points := make([]*api.PointId, len(ids))
	for i, id := range ids {
		points[i] = pointID(t.scope, id)
	}
	return points
}

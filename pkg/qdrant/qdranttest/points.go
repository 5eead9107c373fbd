package qdranttest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type points struct {
	api.UnimplementedPointsServer
	server *Server
}

// change applies a change now, or, under Late, by and by.
func (s *Server) change(wait bool, apply func()) *api.PointsOperationResponse {
	done := api.UpdateStatus_Completed
	switch {
	case s.faults.Late:
		s.late = append(s.late, apply)
		done = api.UpdateStatus_Acknowledged
	default:
		apply()
		if !wait {
			done = api.UpdateStatus_Acknowledged
		}
	}
	return &api.PointsOperationResponse{Result: &api.UpdateResult{Status: done}}
}

// Upsert puts whole points; what stood under their ids is gone. One that cannot be kept refuses them all.
func (p *points) Upsert(_ context.Context, r *api.UpsertPoints) (*api.PointsOperationResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if len(r.GetPoints()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "Empty update request")
	}
	if r.GetUpdateFilter() != nil || r.UpdateMode != nil {
		return nil, unknown("conditional upserts")
	}
	var read []*point
	for _, sent := range r.GetPoints() {
		one, err := c.read(sent)
		if err != nil {
			return nil, err
		}
		read = append(read, one)
	}
	return p.server.change(r.GetWait(), func() {
		for _, one := range read {
			c.points[one.id] = one
		}
	}), nil
}

// Delete drops points by id or by filter; what is not there is no error.
func (p *points) Delete(_ context.Context, r *api.DeletePoints) (*api.PointsOperationResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	var chosen *api.Filter
	switch s := r.GetPoints().GetPointsSelectorOneOf().(type) {
	case *api.PointsSelector_Points:
		chosen = &api.Filter{Must: []*api.Condition{api.NewHasID(s.Points.GetIds()...)}}
	case *api.PointsSelector_Filter:
		chosen = s.Filter
	default:
		return nil, status.Error(codes.InvalidArgument, "PointSelector is missing")
	}
	passes, err := filter(chosen)
	if err != nil {
		return nil, err
	}
	lost := p.server.faults.LoseDeletes
	return p.server.change(r.GetWait(), func() {
		for _, one := range c.sorted(passes) {
			if !lost {
				delete(c.points, one.id)
			}
		}
	}), nil
}

// CreateFieldIndex records that a field is indexed.
func (p *points) CreateFieldIndex(_ context.Context, r *api.CreateFieldIndexCollection) (*api.PointsOperationResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	kinds := map[api.FieldType]api.PayloadSchemaType{
		api.FieldType_FieldTypeKeyword: api.PayloadSchemaType_Keyword, api.FieldType_FieldTypeInteger: api.PayloadSchemaType_Integer,
		api.FieldType_FieldTypeFloat: api.PayloadSchemaType_Float, api.FieldType_FieldTypeDatetime: api.PayloadSchemaType_Datetime,
	}
	kind, known := kinds[r.GetFieldType()]
	if !known || r.FieldType == nil {
		return nil, unknown("the field type " + r.GetFieldType().String())
	}
	if r.GetFieldIndexParams().GetKeywordIndexParams() != nil && kind != api.PayloadSchemaType_Keyword {
		return nil, invalid("field type and field index params do not match")
	}
	return p.server.change(r.GetWait(), func() {
		c.schema[r.GetFieldName()] = &api.PayloadSchemaInfo{DataType: kind, Params: r.GetFieldIndexParams()}
	}), nil
}

// Query finds the nearest points of one named vector, exactly.
func (p *points) Query(_ context.Context, r *api.QueryPoints) (*api.QueryResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	vector := r.GetQuery().GetNearest().GetDense().GetData()
	switch {
	case len(r.GetPrefetch()) > 0 || vector == nil:
		return nil, unknown("queries other than for the nearest of a dense vector")
	case r.Limit != nil && r.GetLimit() < 1:
		return nil, invalid("limit: value 0 invalid, must be 1 or larger")
	}
	if err := c.checkVector(r.GetUsing(), vector); err != nil {
		return nil, err
	}
	chosen := r.GetFilter()
	if p.server.faults.Foreign {
		chosen = nil
	}
	passes, err := filter(chosen)
	if err != nil {
		return nil, err
	}
	limit := 10
	if r.Limit != nil {
		limit = int(r.GetLimit())
	}
	rows := c.nearest(unit(vector), r, passes)
	return &api.QueryResponse{Result: p.server.faults.distort(rows, limit)}, nil
}

// nearest scores every point that passes, best first.
func (c *collection) nearest(vector []float32, r *api.QueryPoints, passes func(*point) bool) []*api.ScoredPoint {
	var rows []*api.ScoredPoint
	for _, p := range c.sorted(passes) {
		kept, ok := p.vectors[r.GetUsing()]
		if !ok {
			continue
		}
		score := float32(0)
		for i := range kept {
			score += kept[i] * vector[i]
		}
		if r.ScoreThreshold == nil || score >= r.GetScoreThreshold() {
			rows = append(rows, &api.ScoredPoint{Id: api.NewIDUUID(p.id), Score: score, Payload: payload(p, r.GetWithPayload())})
		}
	}
	slices.SortStableFunc(rows, func(a, b *api.ScoredPoint) int { return cmp.Compare(b.GetScore(), a.GetScore()) })
	return rows[min(len(rows), int(r.GetOffset())):]
}

// payload is the part of a payload that was asked for.
func payload(p *point, selector *api.WithPayloadSelector) map[string]*api.Value {
	switch s := selector.GetSelectorOptions().(type) {
	case *api.WithPayloadSelector_Enable:
		if s.Enable {
			return p.payload
		}
	case *api.WithPayloadSelector_Include:
		part := map[string]*api.Value{}
		for _, field := range s.Include.GetFields() {
			if v, ok := p.payload[field]; ok {
				part[field] = v
			}
		}
		return part
	}
	return nil
}

func retrieved(p *point, payloads *api.WithPayloadSelector, vectors *api.WithVectorsSelector) *api.RetrievedPoint {
	one := &api.RetrievedPoint{Id: api.NewIDUUID(p.id), Payload: payload(p, payloads)}
	if !vectors.GetEnable() {
		return one
	}
	named := map[string]*api.VectorOutput{}
	for name, values := range p.vectors {
		named[name] = &api.VectorOutput{Vector: &api.VectorOutput_Dense{Dense: &api.DenseVector{Data: values}}}
	}
	one.Vectors = &api.VectorsOutput{VectorsOptions: &api.VectorsOutput_Vectors{Vectors: &api.NamedVectorsOutput{Vectors: named}}}
	return one
}

// Get returns those points of the ids that are there.
func (p *points) Get(_ context.Context, r *api.GetPoints) (*api.GetResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	var found []*api.RetrievedPoint
	for _, id := range r.GetIds() {
		parsed, err := uuid.Parse(id.GetUuid())
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "Unable to parse UUID: %s", id.GetUuid())
		}
		if one, ok := c.points[parsed.String()]; ok {
			found = append(found, retrieved(one, r.GetWithPayload(), r.GetWithVectors()))
		}
	}
	return &api.GetResponse{Result: found}, nil
}

// Scroll pages through points by id.
func (p *points) Scroll(_ context.Context, r *api.ScrollPoints) (*api.ScrollResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if r.OrderBy != nil {
		return nil, unknown("order_by")
	}
	passes, err := filter(r.GetFilter())
	if err != nil {
		return nil, err
	}
	limit := 10
	if r.Limit != nil {
		limit = int(r.GetLimit())
	}
	answer := &api.ScrollResponse{}
	for _, one := range c.sorted(passes) {
		if from := r.GetOffset().GetUuid(); from != "" && strings.Compare(one.id, from) < 0 {
			continue
		}
		if len(answer.Result) == limit {
			answer.NextPageOffset = api.NewIDUUID(one.id)
			break
		}
		answer.Result = append(answer.Result, retrieved(one, r.GetWithPayload(), r.GetWithVectors()))
	}
	return answer, nil
}

// Count counts the points that pass.
func (p *points) Count(_ context.Context, r *api.CountPoints) (*api.CountResponse, error) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	c, err := p.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	passes, err := filter(r.GetFilter())
	if err != nil {
		return nil, err
	}
	return &api.CountResponse{Result: &api.CountResult{Count: uint64(len(c.sorted(passes)))}}, nil
}

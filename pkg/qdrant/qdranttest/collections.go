package qdranttest

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// collection is one collection with its points, by UUID.
type collection struct {
	request *api.CreateCollection
	vectors map[string]*api.VectorParams
	schema  map[string]*api.PayloadSchemaInfo
	points  map[string]*point
}

type point struct {
	id      string
	payload map[string]*api.Value
	vectors map[string][]float32
}

type collections struct {
	api.UnimplementedCollectionsServer
	server *Server
}

func (s *Server) collection(name string) (*collection, error) {
	c, ok := s.collections[name]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Not found: Collection `%s` doesn't exist!", name)
	}
	return c, nil
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "Wrong input: "+format, args...)
}

func unknown(what string) error {
	return status.Errorf(codes.Unimplemented, "qdranttest does not know %s", what)
}

// Create makes a collection of named cosine vectors.
func (c *collections) Create(_ context.Context, r *api.CreateCollection) (*api.CollectionOperationResponse, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if _, exists := c.server.collections[r.GetCollectionName()]; exists {
		return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", r.GetCollectionName())
	}
	if name := r.GetCollectionName(); name == "" || len(name) > 255 || strings.ContainsAny(name, `<>:"/\|?*`+"\x00") {
		return nil, invalid("collection name cannot be %q", name)
	}
	named := r.GetVectorsConfig().GetParamsMap().GetMap()
	if len(named) == 0 || r.GetSparseVectorsConfig() != nil {
		return nil, unknown("collections without named dense vectors")
	}
	for _, params := range named {
		if params.GetDistance() != api.Distance_Cosine {
			return nil, unknown("a distance other than cosine")
		}
		if params.GetSize() < 1 || params.GetSize() > 65536 {
			return nil, status.Errorf(codes.InvalidArgument, "vectors size must be in 1..65536, is %d", params.GetSize())
		}
	}
	c.server.collections[r.GetCollectionName()] = &collection{
		request: r, vectors: named, schema: map[string]*api.PayloadSchemaInfo{}, points: map[string]*point{},
	}
	return &api.CollectionOperationResponse{Result: true}, nil
}

// Get tells how a collection was made, what is indexed and how much it holds.
func (c *collections) Get(_ context.Context, r *api.GetCollectionInfoRequest) (*api.GetCollectionInfoResponse, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	found, err := c.server.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	count := uint64(len(found.points))
	schema := map[string]*api.PayloadSchemaInfo{}
	for field, info := range found.schema {
		schema[field] = info
	}
	return &api.GetCollectionInfoResponse{Result: &api.CollectionInfo{
		Status: api.CollectionStatus_Green, PointsCount: &count, PayloadSchema: schema,
		Config: &api.CollectionConfig{
			Params:     &api.CollectionParams{VectorsConfig: found.request.GetVectorsConfig()},
			HnswConfig: found.request.GetHnswConfig(),
			Metadata:   found.request.GetMetadata(),
		},
	}}, nil
}

// Delete drops a collection; one that is not there is no error.
func (c *collections) Delete(_ context.Context, r *api.DeleteCollection) (*api.CollectionOperationResponse, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	_, there := c.server.collections[r.GetCollectionName()]
	delete(c.server.collections, r.GetCollectionName())
	return &api.CollectionOperationResponse{Result: there}, nil
}

// List names the collections.
func (c *collections) List(context.Context, *api.ListCollectionsRequest) (*api.ListCollectionsResponse, error) {
	var all []*api.CollectionDescription
	for _, name := range c.server.Collections() {
		all = append(all, &api.CollectionDescription{Name: name})
	}
	return &api.ListCollectionsResponse{Collections: all}, nil
}

// read turns a point as sent into one as kept: its vectors belong to the collection and have length 1.
func (c *collection) read(p *api.PointStruct) (*point, error) {
	id, err := uuid.Parse(p.GetId().GetUuid())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Unable to parse UUID: %s", p.GetId().GetUuid())
	}
	if p.GetVectors() == nil {
		return nil, status.Error(codes.InvalidArgument, "Expected some vectors")
	}
	kept := &point{id: id.String(), payload: p.GetPayload(), vectors: map[string][]float32{}}
	for name, v := range p.GetVectors().GetVectors().GetVectors() {
		values := v.GetDense().GetData()
		if err := c.checkVector(name, values); err != nil {
			return nil, err
		}
		kept.vectors[name] = unit(values)
	}
	if len(kept.vectors) == 0 {
		return nil, unknown("points without named dense vectors")
	}
	return kept, nil
}

func (c *collection) checkVector(name string, values []float32) error {
	params, ok := c.vectors[name]
	if !ok {
		return invalid("Not existing vector name error: %s", name)
	}
	if uint64(len(values)) != params.GetSize() {
		return invalid("Vector dimension error: expected dim: %d, got %d", params.GetSize(), len(values))
	}
	return nil
}

// sorted are the points that pass, by id.
func (c *collection) sorted(passes func(*point) bool) []*point {
	var all []*point
	for _, p := range c.points {
		if passes == nil || passes(p) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *point) int { return strings.Compare(a.id, b.id) })
	return all
}

// unit is v at length 1; the zero vector stays.
func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	out := slices.Clone(v)
	if length := math.Sqrt(sum); length > 0 {
		for i := range out {
			out[i] = float32(float64(out[i]) / length)
		}
	}
	return out
}

package qdrant

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A collection has a generation: a name given to it when it is made. Watermarks belong to a generation and every point
// carries it, so a collection that was lost and begun anew is not taken for the one the watermarks speak of.

const generationKey = "rae_generation"

// errUnusable is a collection that RAE did not make, or made for other vectors. Making the index anew replaces it.
var errUnusable = errors.New("the collection was not made by RAE for this model (which takes Qdrant 1.16 or newer); rae reindex qdrant replaces it")

// indexed are the payload fields filters ask for.
func indexed() []struct {
	field string
	kind  api.FieldType
} {
	return []struct {
		field string
		kind  api.FieldType
	}{
		{fieldTenant, api.FieldType_FieldTypeKeyword}, {fieldProject, api.FieldType_FieldTypeKeyword},
		{fieldLayer, api.FieldType_FieldTypeKeyword}, {fieldTags, api.FieldType_FieldTypeKeyword},
		{fieldMetadata, api.FieldType_FieldTypeKeyword}, {fieldUser, api.FieldType_FieldTypeKeyword},
		{fieldAgent, api.FieldType_FieldTypeKeyword}, {fieldSession, api.FieldType_FieldTypeKeyword},
		{fieldImportance, api.FieldType_FieldTypeFloat}, {fieldWhen, api.FieldType_FieldTypeInteger},
		{fieldValidFrom, api.FieldType_FieldTypeInteger}, {fieldValidTo, api.FieldType_FieldTypeInteger},
		{fieldExpires, api.FieldType_FieldTypeInteger},
	}
}

// generation returns the collection's generation as last seen, asking when none was.
func (x *Index) generation(ctx context.Context) (generation string, err error) {
	if known := x.known.Load(); known != nil {
		return *known, nil // without a call, so this is no sign that Qdrant is well
	}
	err = x.read(ctx, func(ctx context.Context) error {
		generation, err = x.look(ctx)
		return err
	})
	return generation, err
}

// look asks Qdrant for the collection's generation. NotFound when there is no collection.
func (x *Index) look(ctx context.Context) (string, error) {
	generation, _, err := x.inspect(ctx)
	if err != nil {
		x.known.Store(nil)
		return "", err
	}
	x.known.Store(&generation)
	return generation, nil
}

func (x *Index) inspect(ctx context.Context) (generation string, schema map[string]*api.PayloadSchemaInfo, err error) {
	answer, err := x.collections.Get(ctx, &api.GetCollectionInfoRequest{CollectionName: x.name})
	if err != nil {
		return "", nil, err
	}
	config := answer.GetResult().GetConfig()
	generation = config.GetMetadata()[generationKey].GetStringValue()
	vector := config.GetParams().GetVectorsConfig().GetParamsMap().GetMap()[x.vector]
	if generation == "" || vector.GetSize() != uint64(x.dimensions) || vector.GetDistance() != api.Distance_Cosine {
		return "", nil, fmt.Errorf("collection %s: %w", x.name, errUnusable)
	}
	return generation, answer.GetResult().GetPayloadSchema(), nil
}

// ensure makes the collection where there is none, and the payload indexes it lacks, and returns its generation. Several
// processes may do so at once: one makes it, the others find it.
func (x *Index) ensure(ctx context.Context) (string, error) {
	generation, schema, err := x.inspect(ctx)
	if status.Code(err) == codes.NotFound {
		if created := x.create(ctx); created != nil {
			x.log.InfoContext(ctx, "the qdrant collection was made by somebody else, or not at all", "collection", x.name, "err", created)
		}
		generation, schema, err = x.inspect(ctx)
	}
	if err != nil {
		x.known.Store(nil)
		return "", err
	}
	for _, want := range indexed() {
		if _, there := schema[want.field]; there {
			continue
		}
		request := &api.CreateFieldIndexCollection{
			CollectionName: x.name, Wait: api.PtrOf(true), FieldName: want.field, FieldType: want.kind.Enum(),
		}
		if want.field == fieldTenant {
			request.FieldIndexParams = api.NewPayloadIndexParamsKeyword(&api.KeywordIndexParams{IsTenant: api.PtrOf(true)})
		}
		if _, err := x.points.CreateFieldIndex(ctx, request); err != nil {
			return "", fmt.Errorf("index %s of %s: %w", want.field, x.name, err)
		}
	}
	x.known.Store(&generation)
	return generation, nil
}

// Graphs are built per tenant and none over all: every search names its tenant.
const (
	noGlobalGraph = 0
	tenantGraph   = 16 // edges per point
)

func (x *Index) create(ctx context.Context) error {
	_, err := x.collections.Create(ctx, &api.CreateCollection{
		CollectionName: x.name,
		VectorsConfig: api.NewVectorsConfigMap(map[string]*api.VectorParams{
			x.vector: {Size: uint64(x.dimensions), Distance: api.Distance_Cosine},
		}),
		HnswConfig: &api.HnswConfigDiff{M: api.PtrOf(uint64(noGlobalGraph)), PayloadM: api.PtrOf(uint64(tenantGraph))},
		Metadata:   map[string]*api.Value{generationKey: api.NewValueString(uuid.NewString())},
	})
	if err == nil {
		x.log.InfoContext(ctx, "made a qdrant collection", "collection", x.name, "dimensions", x.dimensions)
	}
	return err
}

// renew replaces a collection that cannot be used and leaves one that can.
func (x *Index) renew(ctx context.Context) (string, error) {
	generation, err := x.ensure(ctx)
	if !errors.Is(err, errUnusable) {
		return generation, err
	}
	x.log.WarnContext(ctx, "replacing a qdrant collection that cannot be used", "collection", x.name, "err", err)
	if _, err := x.collections.Delete(ctx, &api.DeleteCollection{CollectionName: x.name}); err != nil {
		return "", err
	}
	return x.ensure(ctx)
}

// projection is the name under which the store keeps watermarks of a generation.
func (x *Index) projection(generation string) string { return "qdrant/" + generation }

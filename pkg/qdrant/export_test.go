package qdrant

import (
	"context"
	"testing"

	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/memory"
)

// Drop drops what belongs to the scope of t.
func Drop(ctx context.Context, t TenantIndex) error { return t.drop(ctx) }

// PointID is a memory's id in Qdrant.
func PointID(scope memory.Scope, id memory.ID) *api.PointId { return pointID(scope, id) }

// Info is what Qdrant tells of the collection.
func Info(t *testing.T, x *Index) *api.CollectionInfo {
	t.Helper()
	answer, err := x.collections.Get(t.Context(), &api.GetCollectionInfoRequest{CollectionName: x.name})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetResult()
}

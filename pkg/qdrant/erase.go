package qdrant

import (
	"context"
	"strings"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rae-memory/rae/pkg/memory"
)

// EraseTenant removes every point of the tenant, in every project and of every model RAE has here, and counts the
// vectors. Unavailable when Qdrant is away: what is left is then erased by calling again.
func (x *Index) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	receipt := memory.Receipt{Tenant: tenant}
	list, err := x.collections.List(ctx, &api.ListCollectionsRequest{})
	if err != nil {
		return receipt, away(err)
	}
	for _, c := range list.GetCollections() {
		if !strings.HasPrefix(c.GetName(), x.prefix+".") {
			continue
		}
		n, err := x.eraseFrom(ctx, c.GetName(), tenant)
		receipt.Vectors += n
		if err != nil && status.Code(err) != codes.NotFound { // gone meanwhile is as good
			return receipt, away(err)
		}
	}
	return receipt, nil
}

func (x *Index) eraseFrom(ctx context.Context, collection, tenant string) (int, error) {
	theirs := &api.Filter{Must: []*api.Condition{api.NewMatchKeyword(fieldTenant, tenant)}}
	count, err := x.points.Count(ctx, &api.CountPoints{CollectionName: collection, Filter: theirs, Exact: api.PtrOf(true)})
	if err != nil {
		return 0, err
	}
	err = completed(x.points.Delete(ctx, &api.DeletePoints{
		CollectionName: collection, Wait: api.PtrOf(true), Points: api.NewPointsSelectorFilter(theirs),
	}))
	if err != nil {
		return 0, err
	}
	return int(count.GetResult().GetCount()), nil
}

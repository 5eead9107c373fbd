package qdrant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/memory"
)

// The payload of a point: what filters ask for and what tells whose it is. Never what a memory says; of metadata only
// hashes. Times are microseconds since 1970.
const (
	fieldTenant     = "tenant"
	fieldProject    = "project"
	fieldMemory     = "memory_id"
	fieldVersion    = "version"
	fieldSeq        = "seq"
	fieldGeneration = "generation"
	fieldLayer      = "layer"
	fieldTags       = "tags"
	fieldMetadata   = "metadata"
	fieldUser       = "user_id"
	fieldAgent      = "agent_id"
	fieldSession    = "session_id"
	fieldImportance = "importance"
	fieldWhen       = "when"
	fieldValidFrom  = "valid_from"
	fieldValidTo    = "valid_to"
	fieldExpires    = "expires_at"
	fieldArchived   = "archived" // true, or missing
)

// pointID is a memory's id in Qdrant: made of tenant, project and id, so that no two tenants can share a point. Parts
// are length-prefixed, so that no two triples read the same.
func pointID(scope memory.Scope, id memory.ID) *api.PointId {
	space := uuid.MustParse("5f1c1ad5-6f0e-4d0b-9a0f-3f4a0a6a3e55") // RAE's own, drawn once
	name := fmt.Sprintf("%d:%s%d:%s%s", len(scope.Tenant), scope.Tenant, len(scope.Project), scope.Project, id)
	return api.NewIDUUID(uuid.NewSHA1(space, []byte(name)).String())
}

// Times at the open ends of an interval.
const (
	always = math.MinInt64
	never  = math.MaxInt64
)

func microsOr(t *time.Time, open int64) int64 {
	if t == nil {
		return open
	}
	return t.UnixMicro()
}

func payloadOf(scope memory.Scope, generation string, c *memory.Change) map[string]*api.Value {
	v := &c.Version
	payload := map[string]*api.Value{
		fieldTenant:     api.NewValueString(scope.Tenant),
		fieldProject:    api.NewValueString(scope.Project),
		fieldMemory:     api.NewValueString(string(v.ID)),
		fieldVersion:    api.NewValueInt(int64(v.Memory.Version)),
		fieldSeq:        api.NewValueInt(int64(c.Seq)),
		fieldGeneration: api.NewValueString(generation),
		fieldLayer:      api.NewValueString(string(v.Layer)),
		fieldImportance: api.NewValueDouble(v.Importance),
		fieldWhen:       api.NewValueInt(v.When().UnixMicro()),
		fieldValidFrom:  api.NewValueInt(microsOr(v.ValidFrom, always)),
		fieldValidTo:    api.NewValueInt(microsOr(v.ValidTo, never)),
		fieldExpires:    api.NewValueInt(microsOr(v.ExpiresAt, never)),
	}
	for field, value := range map[string]string{fieldUser: v.UserID, fieldAgent: v.AgentID, fieldSession: v.SessionID} {
		if value != "" {
			payload[field] = api.NewValueString(value)
		}
	}
	if v.ArchivedAt != nil {
		payload[fieldArchived] = api.NewValueBool(true)
	}
	if len(v.Tags) > 0 {
		payload[fieldTags] = keywords(v.Tags)
	}
	if len(v.Metadata) > 0 {
		payload[fieldMetadata] = keywords(metadataHashes(v.Metadata))
	}
	return payload
}

func keywords(texts []string) *api.Value {
	values := make([]*api.Value, len(texts))
	for i, text := range texts {
		values[i] = api.NewValueString(text)
	}
	return api.NewValueFromList(values...)
}

// metadataHashes identify each key with its value, whatever JSON it is: equal values by memory.SameJSON, and no others,
// have equal hashes.
func metadataHashes(m memory.Metadata) []string {
	var hashes []string
	for key, value := range m {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(key), key, memory.CanonicalJSON(value)))
		hashes = append(hashes, hex.EncodeToString(sum[:16]))
	}
	slices.Sort(hashes)
	return hashes
}

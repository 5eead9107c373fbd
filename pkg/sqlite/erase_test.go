package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// TestErasedTenantLeavesNoByteOnDisk scans the raw files for everything an erased tenant ever said, between rows of
// another tenant that were written, changed and deleted in turn.
func TestErasedTenantLeavesNoByteOnDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	db := openAt(t, path, sqlite.Options{})
	ctx := t.Context()
	const canary = "canary-7f3a"
	// The tenant's own name stands in the news of its erasure, until that has been told.
	secret := memory.Scope{Tenant: "erased-tenant", Project: canary + "-project"}
	public := memory.Scope{Tenant: "public", Project: "default"}
	write := func(scope memory.Scope, word string, n int) {
		t.Helper()
		err := db.Write(ctx, scope, func(tx memory.Tx) error {
			for i := range 20 {
				m := memory.Memory{
					Content:    fmt.Sprintf("%s content %d/%d %s", word, n, i, strings.Repeat(word+" ", (n*i)%97)),
					ExternalID: fmt.Sprintf("%s key %d", word, (n*20+i)%900), Source: word + " source",
					UserID: word + " user", SessionID: word + " session", AgentID: word + " agent",
					Tags: []string{word + " tag", fmt.Sprint(word, n)}, Metadata: memory.Metadata{word: word},
				}
				if i%3 == 0 {
					expires := time.Now().Add(time.Hour)
					m.ExpiresAt = &expires
				}
				stored, _, err := tx.Put(ctx, m, memory.Why{Actor: word, Reason: word},
					memory.Vector{Model: word + " model", Values: []float32{float32(n), float32(i), 3, 4, 5}})
				if err != nil {
					return err
				}
				if i%7 == 0 {
					if err := tx.Delete(ctx, stored.ID); err != nil {
						return err
					}
				}
			}
			if _, err := tx.Once(ctx, word, word+" source", fmt.Sprint(word, n)); err != nil {
				return err
			}
			return tx.Answer(ctx, memory.Key{Route: "r", Key: fmt.Sprint(word, n), Fingerprint: word}, []byte(word))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 120 {
		write(secret, canary, n)
		write(public, "meadow", n)
	}
	records, err := db.Claim(ctx, 20, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := db.Bury(ctx, r.ID, canary+" reason"); err != nil {
			t.Fatal(err)
		}
	}
	if found := scan(t, path, canary); found == 0 {
		t.Fatal("the canary is nowhere even before the erasure: the scan proves nothing")
	}
	before, err := db.List(ctx, public, memory.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}

	receipt, err := db.EraseTenant(ctx, secret.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Memories == 0 || receipt.Versions <= receipt.Memories || receipt.Vectors == 0 || receipt.Events == 0 || receipt.Answers != 120 {
		t.Errorf("the receipt counts %+v", receipt)
	}
	if found := scan(t, path, canary); found != 0 {
		t.Errorf("after the erasure the files still hold the canary %d times", found)
	}
	after, err := db.List(ctx, public, memory.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Memories) != len(before.Memories) || len(after.Memories) == 0 {
		t.Errorf("the other tenant had %d memories and has %d", len(before.Memories), len(after.Memories))
	}
}

// scan counts the word in the database and the files beside it.
func scan(t *testing.T, path, word string) int {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		count += bytes.Count(b, []byte(word))
	}
	return count
}

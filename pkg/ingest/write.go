package ingest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Stored is a memory as it stands after a write, and what the write did.
type Stored struct {
	memory.Memory
	Outcome memory.Outcome `json:"outcome"`
	Head    memory.Seq     `json:"-"` // of the scope, as the write left it; 0 where that is not known
}

// Put writes what the draft tells, or recognises what already stands. With a key that was answered before it
// returns that answer and true, and neither embeds nor writes anything; with a key of another request it fails with
// Conflict. A memory whose vector could not be had is stored with embedding pending.
//
// What the memory says is no part of a remembered answer but read from the memory: a repetition after its deletion
// stores nothing and is answered with what is not the caller's own words, the id foremost.
func (s *Service) Put(ctx context.Context, scope memory.Scope, d Draft, key memory.Key, why memory.Why) (Stored, bool, error) {
	m, err := d.memory(scope, s.now(), "body.")
	if err != nil {
		return Stored{}, false, err
	}
	if key.Key == "" {
		return s.putNow(ctx, scope, m, why)
	}
	var e memory.Entry
	var stored Stored
	kept, replayed, err := once(ctx, s, scope, key, func() error {
		vectors, err := s.embed(ctx, scope, []string{m.Content})
		if err == nil {
			e = entry(m, vectors[0])
		}
		return err
	}, func(tx memory.Tx) (_ Stored, err error) {
		stored.Memory, stored.Outcome, err = tx.Put(ctx, e.Memory, why, e.Vectors...)
		return Stored{Memory: wordless(&stored.Memory), Outcome: stored.Outcome}, err
	})
	if err != nil {
		return Stored{}, false, err
	}
	if replayed {
		stored.Outcome = kept.Outcome
		stored.Memory, err = s.recall(ctx, scope, &kept.Memory)
	}
	return stored, replayed, err
}

// putNow is Put of a memory that comes without a key.
func (s *Service) putNow(ctx context.Context, scope memory.Scope, m memory.Memory, why memory.Why) (Stored, bool, error) {
	vectors, err := s.embed(ctx, scope, []string{m.Content})
	if err != nil {
		return Stored{}, false, err
	}
	written, head, err := s.put(ctx, scope, entry(m, vectors[0]), why)
	if err != nil {
		return Stored{}, false, err
	}
	return Stored{Memory: written.Memory, Outcome: written.Outcome, Head: head}, false, nil
}

// wordless is what a remembered answer keeps of a memory: which version it was, and nothing of what a caller told.
func wordless(m *memory.Memory) memory.Memory {
	return memory.Memory{
		ID: m.ID, TenantID: m.TenantID, ProjectID: m.ProjectID, Layer: m.Layer, Tags: []string{}, Metadata: memory.Metadata{},
		Importance: m.Importance, Embedding: m.Embedding, Version: m.Version, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
	}
}

// recall is the memory as it was answered: the version kept names, with the state its vector was in. When the memory is
// gone, so are its words.
func (s *Service) recall(ctx context.Context, scope memory.Scope, kept *memory.Memory) (memory.Memory, error) {
	m, err := s.Store.Get(ctx, scope, kept.ID, memory.View{KnownAt: &kept.UpdatedAt})
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return wordless(kept), nil
	case err != nil:
		return memory.Memory{}, err
	}
	m.Embedding = kept.Embedding
	return m, nil
}

// once gives a request with a key one effect and one answer: do runs in a transaction that also remembers its
// answer, and a repetition gets that answer back, unmarshalled from the very bytes, and true. prepare does what must
// not happen inside a transaction; a repetition skips it. Requests without a key just run.
func once[A any](ctx context.Context, s *Service, scope memory.Scope, key memory.Key, prepare func() error, do func(memory.Tx) (A, error)) (answer A, replayed bool, err error) {
	if answer, replayed, err = peek[A](ctx, s, scope, key); err != nil || replayed {
		return answer, replayed, err
	}
	if err = prepare(); err != nil {
		return answer, false, err
	}
	err = s.write(ctx, scope, func(tx memory.Tx) error {
		if answer, replayed, err = answered[A](ctx, tx, key); err != nil || replayed {
			return err
		}
		if answer, err = do(tx); err != nil {
			return err
		}
		return remember(ctx, tx, key, answer)
	})
	return answer, replayed, err
}

// peek looks for a remembered answer before any work is done for it.
func peek[A any](ctx context.Context, s *Service, scope memory.Scope, key memory.Key) (answer A, found bool, err error) {
	if key.Key == "" || llm.DryRunOf(ctx) != nil { // what a repetition would cost, the first request did
		return answer, false, nil
	}
	err = s.write(ctx, scope, func(tx memory.Tx) (err error) {
		answer, found, err = answered[A](ctx, tx, key)
		return err
	})
	return answer, found, err
}

// answered returns the answer remembered for the key.
func answered[A any](ctx context.Context, tx memory.Tx, key memory.Key) (answer A, found bool, err error) {
	if key.Key == "" {
		return answer, false, nil
	}
	kept, found, err := tx.Answered(ctx, key)
	if err != nil || !found {
		return answer, false, err
	}
	if err := json.Unmarshal(kept, &answer); err != nil {
		return answer, false, fmt.Errorf("read the remembered answer: %w", err)
	}
	return answer, true, nil
}

// remember keeps the answer of the key in the transaction of its effect.
func remember(ctx context.Context, tx memory.Tx, key memory.Key, answer any) error {
	if key.Key == "" {
		return nil
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return tx.Answer(ctx, key, b)
}

// putAll writes the entries in one transaction and reports, by index, what became of them. before may end the run early
// by returning true; after runs last, inside the same transaction.
func (s *Service) putAll(ctx context.Context, scope memory.Scope, all []memory.Entry, why memory.Why, before func(memory.Tx) (bool, error), after func(memory.Tx, []memory.Written) error) (written []memory.Written, err error) {
	err = s.write(ctx, scope, func(tx memory.Tx) error {
		if done, err := before(tx); err != nil || done {
			return err
		}
		if written, err = tx.PutAll(ctx, all, why); err != nil {
			return err
		}
		return after(tx, written)
	})
	return written, err
}

// nothingBefore and nothingAfter are the hooks of a plain put.
func nothingBefore(memory.Tx) (bool, error)          { return false, nil }
func nothingAfter(memory.Tx, []memory.Written) error { return nil }

package eval

import (
	"context"
	"fmt"
	"time"
)

// Keeper takes in what is searched.
type Keeper interface {
	// Remember stores the documents of one haystack, in order.
	Remember(ctx context.Context, scope string, documents []Document) error
}

// Finder is a way of finding.
type Finder interface {
	// Ask returns the ids of the documents found for the question in its haystack, best first.
	Ask(ctx context.Context, scope, question string, limit int) ([]string, error)
}

// Packer is a way of packing what is found into a prompt.
type Packer interface {
	Pack(ctx context.Context, scope, question string, maxTokens int) (Packed, error)
}

// Packed is a text for a prompt: its tokens, and how many bytes of which documents (by id) are in it.
type Packed struct {
	Tokens int
	Bytes  map[string]int
}

// Progress is told how far a stage of a run has come.
type Progress func(done, total int)

// depth is how many answers each question asks for: what the deepest figure needs.
const depth = 10

// Fill stores the set, one haystack after the other.
func Fill(ctx context.Context, k Keeper, s *Set, progress Progress) error {
	byScope := map[string][]Document{}
	for _, d := range s.Documents {
		byScope[d.Scope] = append(byScope[d.Scope], d)
	}
	stored := 0
	for _, scope := range s.Scopes() {
		if err := k.Remember(ctx, scope, byScope[scope]); err != nil {
			return fmt.Errorf("load %s: %w", scope, err)
		}
		stored += len(byScope[scope])
		progress(stored, len(s.Documents))
	}
	return nil
}

// Ask puts every question of the set, in order. The first question of a scope builds its index; that is no search's
// time, so each scope is asked something else before.
func Ask(ctx context.Context, f Finder, s *Set, progress Progress) ([]Answer, error) {
	for _, scope := range s.Scopes() {
		if _, err := f.Ask(ctx, scope, "warm up", 1); err != nil {
			return nil, fmt.Errorf("warm up %s: %w", scope, err)
		}
	}
	answers := make([]Answer, 0, len(s.Questions))
	for i, q := range s.Questions {
		began := time.Now()
		found, err := f.Ask(ctx, q.Scope, q.Text, depth)
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", q.ID, err)
		}
		answers = append(answers, Answer{Question: q, Found: found, Took: time.Since(began)})
		progress(i+1, len(s.Questions))
	}
	return answers, nil
}

package eval

import (
	"context"
	"fmt"
	"time"
)

// Engine is what is measured.
type Engine interface {
	// Remember stores the documents of one haystack, in order.
	Remember(ctx context.Context, scope string, documents []Document) error
	// Ask returns the ids of the documents found for the question in its haystack, best first.
	Ask(ctx context.Context, scope, question string, limit int) ([]string, error)
}

// Progress is told how far a run has come.
type Progress func(stage string, done, total int)

// depth is how many answers each question asks for: what the deepest figure needs.
const depth = 10

// Run loads the set into the engine and asks every question.
func Run(ctx context.Context, engine Engine, s *Set, progress Progress) (Figures, error) {
	byScope := map[string][]Document{}
	for _, d := range s.Documents {
		byScope[d.Scope] = append(byScope[d.Scope], d)
	}
	stored := 0
	for _, scope := range s.Scopes() {
		if err := engine.Remember(ctx, scope, byScope[scope]); err != nil {
			return Figures{}, fmt.Errorf("load %s: %w", scope, err)
		}
		stored += len(byScope[scope])
		progress("load", stored, len(s.Documents))
	}
	for _, scope := range s.Scopes() { // the first question of a scope builds its index; that is not a search's time
		if _, err := engine.Ask(ctx, scope, "warm up", 1); err != nil {
			return Figures{}, fmt.Errorf("warm up %s: %w", scope, err)
		}
	}
	answers := make([]Answer, 0, len(s.Questions))
	for i, q := range s.Questions {
		began := time.Now()
		found, err := engine.Ask(ctx, q.Scope, q.Text, depth)
		if err != nil {
			return Figures{}, fmt.Errorf("ask %s: %w", q.ID, err)
		}
		answers = append(answers, Answer{Question: q, Found: found, Took: time.Since(began)})
		progress("ask", i+1, len(s.Questions))
	}
	return Measure(s, answers), nil
}

package ingest

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
)

// Limits of what is said of a memory, in characters.
const (
	maxAsked  = 4096 // of the query
	maxRemark = 2000
)

// Feedback is what somebody says of a memory that an answer held: Helpful or Score, and what it was asked for.
type Feedback struct {
	Helpful   *bool    `json:"helpful,omitempty" doc:"Whether it helped: a score of 1 or -1."`
	Score     *float64 `json:"score,omitempty" minimum:"-1" maximum:"1" doc:"How much it helped, -1 (it misled) to 1; instead of helpful."`
	Query     string   `json:"query,omitempty" doc:"What was asked, at most 4096 characters."`
	RequestID string   `json:"request_id,omitempty" doc:"X-Request-ID of the answer that held it."`
	Comment   string   `json:"comment,omitempty" doc:"In words, at most 2000 characters."`
}

// Rated is the answer to feedback. It repeats no words.
type Rated struct {
	MemoryID  memory.ID `json:"memory_id"`
	Helpful   int64     `json:"helpful" doc:"How often somebody said that it helped."`
	Unhelpful int64     `json:"unhelpful" doc:"How often somebody said that it did not."`
	Score     float64   `json:"score" doc:"Sum of all scores."`
}

// Rate keeps what somebody says of a memory. NotFound when it does not stand in the scope. A repetition with the same key
// counts once, and is answered like the first time.
func (s *Service) Rate(ctx context.Context, scope memory.Scope, id memory.ID, f Feedback, key memory.Key, by string) (Rated, bool, error) {
	said, err := f.checked()
	if err != nil {
		return Rated{}, false, err
	}
	said.By, said.At = by, s.now()
	return once(ctx, s, scope, key, func() error { return nil }, func(tx memory.Tx) (Rated, error) {
		use, err := tx.Rate(ctx, id, said)
		return Rated{id, use.Helpful, use.Unhelpful, use.Score}, err
	})
}

func (f *Feedback) checked() (memory.Feedback, error) {
	c := complaints{prefix: "body."}
	said := memory.Feedback{Query: f.Query, RequestID: f.RequestID, Comment: f.Comment}
	switch {
	case (f.Helpful == nil) == (f.Score == nil):
		c.add("helpful", "must be given, or score instead of it")
	case f.Score != nil && !(*f.Score >= -1 && *f.Score <= 1): // written so that NaN is refused
		c.add("score", "must be between -1 and 1")
	case f.Score != nil:
		said.Score = *f.Score
	case *f.Helpful:
		said.Score = 1
	default:
		said.Score = -1
	}
	c.name("request_id", f.RequestID, MaxName)
	for _, words := range []struct {
		at, text string
		most     int
	}{{"query", f.Query, maxAsked}, {"comment", f.Comment, maxRemark}} {
		if utf8.RuneCountInString(words.text) > words.most {
			c.add(words.at, "must be at most %d characters", words.most)
		}
		if strings.ContainsRune(words.text, 0) || !utf8.ValidString(words.text) {
			c.add(words.at, "must be UTF-8 text without NUL")
		}
	}
	return said, c.err()
}

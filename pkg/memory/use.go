package memory

import (
	"context"
	"time"
)

// Use is how a memory has been used: how often answers held it, and what was said of it. The zero Use is none.
type Use struct {
	Hits       int64      `json:"hits" doc:"Answers of search and context that held it, as far as they have been written down."`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"When an answer last held it, or somebody last called it helpful."`
	Helpful    int64      `json:"helpful" doc:"How often somebody said that it helped (a score above 0)."`
	Unhelpful  int64      `json:"unhelpful" doc:"How often somebody said that it did not (a score of 0 or less)."`
	Score      float64    `json:"score" doc:"Sum of all scores, each -1 to 1."`
	Recent     []Feedback `json:"recent" doc:"The last of what was said, newest first."`
}

// Feedback is what somebody said of a memory that an answer held.
type Feedback struct {
	Score     float64   `json:"score" doc:"-1 (it misled) to 1 (it helped)."`
	Query     string    `json:"query,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	By        string    `json:"by,omitempty"`
	At        time.Time `json:"at"`
}

// RecentFeedback is how many of what was said of a memory are kept word for word: the rest counts, and no more.
const RecentFeedback = 20

// Add counts f, and keeps it among the last.
func (u *Use) Add(f Feedback) {
	if f.Score > 0 {
		u.Helpful++
		if u.LastUsedAt == nil || u.LastUsedAt.Before(f.At) {
			at := f.At
			u.LastUsedAt = &at
		}
	} else {
		u.Unhelpful++
	}
	u.Score += f.Score
	u.Recent = append([]Feedback{f}, u.Recent[:min(len(u.Recent), RecentFeedback-1)]...)
}

// Hits is how often answers held a memory since they were last written down.
type Hits struct {
	ID   ID
	N    int64 // at least 1
	Last time.Time
}

// Uses tells how memories are used. Use goes with its memory: when that is deleted, so is this.
type Uses interface {
	// Hit adds what has been noted. A memory that does not stand is passed over.
	Hit(ctx context.Context, scope Scope, hits []Hits) error
	// Use returns the use of those of ids that stand and were used.
	Use(ctx context.Context, scope Scope, ids []ID) (map[ID]Use, error)
}

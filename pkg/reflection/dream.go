package reflection

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// What is done while nobody asks: statements that were told again and again become knowledge, sessions that are over become
// one memory each. Both quote and cite, and conclude nothing.
const (
	promotedBy    = 3          // sessions, or days, that a statement must have been told in
	quietFor      = 7 * oneDay // after which a session is over
	minTurns      = 8          // a shorter session is no longer than its summary
	sessionTurns  = 1000       // read of one session, the newest
	sessionsPart  = 40         // sessions looked at per claim
	sessionsLimit = 500        // memories among which they are looked for
)

// promotions drafts one semantic memory for every statement that was told in nearly the same words in so many sessions, or
// on so many days.
func (c *corpus) promotions(documents []*document) []draft {
	var drafts []draft
	for _, group := range alike(documents) {
		sessions, on := map[string]bool{}, map[string]bool{}
		for _, d := range group {
			if d.memory.SessionID != "" {
				sessions[d.memory.SessionID] = true
			}
			on[d.memory.When().UTC().Format(time.DateOnly)] = true
		}
		if len(sessions) < promotedBy && len(on) < promotedBy {
			continue
		}
		where := plural(len(on), "day")
		if len(sessions) > 0 {
			where = plural(len(sessions), "session") + ", " + where
		}
		drafts = append(drafts, c.consolidated(group, "Told again and again ("+where+"):"))
	}
	return drafts
}

// summarize drafts one memory for every session that is over, from where the claim before stopped. A session is looked at
// where its newest memory stands, whole: whatever page it falls on, the same session makes the same memory.
func (s *Service) summarize(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	page, err := s.Memories.List(ctx, scope, memory.Query{Filter: r.window(), After: memory.ID(r.Cursor), Limit: sessionsLimit})
	if err != nil {
		return found{}, fmt.Errorf("read the sessions of reflection %s: %w", r.ID, err)
	}
	f := found{cursor: string(page.Next)}
	type owner struct{ session, user, agent string }
	seen := map[owner]bool{}
	var drafts []draft
	for i := range page.Memories {
		m := &page.Memories[i]
		o := owner{m.SessionID, m.UserID, m.AgentID}
		if m.SessionID == "" || seen[o] || !toldBySomebody(m) {
			continue
		}
		if len(seen) == sessionsPart {
			f.cursor = string(page.Memories[i-1].ID)
			break
		}
		seen[o] = true
		d, over, err := s.summary(ctx, scope, m)
		if err != nil {
			return found{}, err
		}
		if over {
			drafts = append(drafts, d)
		}
	}
	return s.tellOf(ctx, scope, r, drafts, f)
}

// summary drafts the memory of the session whose newest memory is last; false when it is not, the session is not over, or has
// nothing to quote.
func (s *Service) summary(ctx context.Context, scope memory.Scope, last *memory.Memory) (draft, bool, error) {
	page, err := s.Memories.List(ctx, scope, memory.Query{
		Filter: memory.Filter{SessionID: last.SessionID, UserID: last.UserID, AgentID: last.AgentID, Archived: memory.WithArchived}, Limit: sessionTurns,
	})
	if err != nil {
		return draft{}, false, fmt.Errorf("read session %q: %w", last.SessionID, err)
	}
	turns := slices.DeleteFunc(page.Memories, func(m memory.Memory) bool {
		return m.Scope() != scope || m.UserID != last.UserID || m.AgentID != last.AgentID || !toldBySomebody(&m)
	})
	now := s.now()
	talking := func(m memory.Memory) bool { return now.Sub(m.When()) < quietFor }
	if len(turns) < minTurns || turns[0].ID != last.ID || slices.ContainsFunc(turns, talking) {
		return draft{}, false, nil
	}
	c := newCorpus(turns)
	every := make([]int32, len(c.terms))
	for i := range every {
		every[i] = int32(i)
	}
	candidates := c.sentences(c.documents, every)
	rank(candidates)
	topic, _ := c.topic(c.documents)
	d := draft{topic: strings.Join(topic, ", "), tags: topic, count: len(turns)}
	d.content = "Session " + heading(len(turns), c.documents)
	if d.topic != "" {
		d.content += " about " + d.topic
	}
	d.content += ":"
	for _, one := range pick(candidates) {
		q := quote{one.document.memory, one.Start, one.End}
		d.content += line(q)
		d.quotes = append(d.quotes, q)
	}
	importance := 0.0
	for i := range turns {
		importance = max(importance, turns[i].Importance)
	}
	d.importance = func(float64) float64 { return round(importance) }
	return d, len(d.quotes) >= minSources, nil
}

// DreamScopes queues the day's promotions and summaries of every scope that has gathered memories, once a day each, and
// returns how many it queued. An empty tenant or project of within does not restrict. It is idempotent and cheap to repeat.
func (s *Service) DreamScopes(ctx context.Context, within memory.Scope) (int, error) {
	day, queued := s.now().Format(time.DateOnly), 0
	for after := (memory.Scope{}); ; {
		const page = 100
		scopes, err := s.Store.Scopes(ctx, after, page)
		if err != nil {
			return queued, fmt.Errorf("list the scopes to dream of: %w", err)
		}
		for _, scope := range scopes {
			after = scope
			if within.Tenant != "" && within.Tenant != scope.Tenant || within.Project != "" && within.Project != scope.Project {
				continue
			}
			for _, kind := range []Kind{Promote, Summarize} {
				key := memory.Key{Route: "maintenance.due", Key: string(kind) + " " + day, Fingerprint: day}
				_, fresh, err := s.Store.Create(ctx, scope, s.queued(scope, Request{Kind: kind}), key)
				if err != nil {
					return queued, fmt.Errorf("queue what a scope dreams: %w", err)
				}
				if fresh {
					queued++
				}
			}
		}
		if len(scopes) < page {
			return queued, nil
		}
	}
}

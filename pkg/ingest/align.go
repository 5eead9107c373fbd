package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// standingTurn is a turn the session already holds.
type standingTurn struct {
	id       memory.ID
	number   int
	previous string
	message  Message
}

// said identifies what was said, without its time. It is a hash, so that comparing a thousand long turns with a
// thousand others is cheap.
func (m *Message) said() string {
	sum := sha256.New()
	for _, part := range []string{m.Role, m.Name, m.Content} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return string(sum.Sum(nil))
}

// identity is what a message is recognised by: its id, else its time and words, else its words at its position.
func (m *Message) identity() string {
	switch {
	case m.ID != "":
		return "id " + m.ID
	case m.At != nil:
		return "at " + m.At.UTC().Format(time.RFC3339Nano) + " " + m.said()
	}
	return "said " + m.said()
}

// placeless reports whether only its position can tell the message from an equal one.
func (m *Message) placeless() bool { return m.ID == "" && m.At == nil }

// lookback is how many of a session's newest turns are searched for repetitions.
const lookback = 10_000

// standingTurns reads the session's turns in order. Without ids or times among the messages only as many as are
// posted can matter, and no more are read.
func (s *Service) standingTurns(ctx context.Context, scope memory.Scope, in *Conversation) ([]standingTurn, error) {
	enough := len(in.Messages)
	if slices.ContainsFunc(in.Messages, func(m Message) bool { return !m.placeless() }) {
		enough = lookback
	}
	prefix := strings.TrimSuffix(in.turnKey(0), "0")
	q := memory.Query{
		Filter: memory.Filter{UserID: in.UserID, AgentID: in.AgentID, SessionID: in.SessionID},
		Limit:  min(max(enough, 1), 1000),
	}
	var turns []standingTurn
	for {
		page, err := s.List(ctx, scope, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Memories {
			if turn, ok := turnOf(&page.Memories[i], prefix); ok {
				turns = append(turns, turn)
			}
		}
		if page.Next == "" || len(turns) >= enough {
			break
		}
		q.After = page.Next
	}
	slices.SortFunc(turns, func(a, b standingTurn) int { return cmp.Compare(a.number, b.number) })
	return turns, nil
}

// turnOf reads a memory back into the turn it was. The number is part of its external id, which nobody edits by
// accident, unlike metadata.
func turnOf(m *memory.Memory, prefix string) (standingTurn, bool) {
	digits, ours := strings.CutPrefix(m.ExternalID, prefix)
	number, err := strconv.Atoi(digits)
	if !ours || err != nil || number < 1 {
		return standingTurn{}, false
	}
	text := func(key string) string {
		s, _ := m.Metadata[key].(string)
		return s
	}
	return standingTurn{id: m.ID, number: number, previous: text(metaPrevious), message: Message{
		ID: text(metaMessageID), Role: text(metaRole), Name: text(metaName), Content: m.Content, At: m.OccurredAt,
	}}, true
}

// align finds, for each posted message, the index of the standing turn it repeats, or -1. No standing turn is
// claimed twice.
func align(posted []Message, standing []standingTurn) []int {
	ids := make([]string, len(posted))
	for i := range posted {
		ids[i] = posted[i].identity()
	}
	tail := make([]string, len(standing))
	free := make(map[string][]int, len(standing))
	for j := range standing {
		tail[j] = standing[j].message.identity()
		free[tail[j]] = append(free[tail[j]], j)
	}
	overlap := overlapOf(ids, tail)
	plan := make([]int, len(posted))
	for i := range posted {
		plan[i] = -1
		switch left := free[ids[i]]; {
		case posted[i].placeless() && i < overlap:
			plan[i] = len(standing) - overlap + i
		case !posted[i].placeless() && len(left) > 0:
			plan[i], free[ids[i]] = left[0], left[1:]
		}
	}
	return plan
}

// overlapOf returns the largest k for which the last k of standing are the first k of posted.
func overlapOf(posted, standing []string) int {
	for k := min(len(posted), len(standing)); k > 0; k-- {
		if slices.Equal(posted[:k], standing[len(standing)-k:]) {
			return k
		}
	}
	return 0
}

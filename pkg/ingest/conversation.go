package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Metadata keys of a turn. They are RAE's: a conversation's own metadata must not use them.
const (
	metaRole      = "role"
	metaName      = "name"
	metaTurn      = "turn"       // 1, 2, 3 … within the session
	metaPrevious  = "previous"   // id of the memory of the turn before; absent on the first
	metaMessageID = "message_id" // the caller's id of the message
)

// Message is one turn of a conversation.
type Message struct {
	ID      string     `json:"id,omitempty" maxLength:"128" doc:"The caller's own id of the message. Posting it again is recognised, whatever stands around it." example:"msg_01"`
	Role    string     `json:"role" minLength:"1" maxLength:"64" doc:"Who speaks: user, assistant, system, tool, …" example:"user"`
	Name    string     `json:"name,omitempty" maxLength:"256" doc:"Name of the speaker." example:"Alice"`
	Content string     `json:"content" minLength:"1" doc:"What was said, stored verbatim." example:"I'd like a window seat, please."`
	At      *time.Time `json:"at,omitempty" doc:"When it was said. Left out when unknown."`
}

// Conversation is a run of turns of one session, oldest first.
type Conversation struct {
	SessionID string          `json:"session_id" minLength:"1" maxLength:"256" doc:"Session the turns belong to." example:"support-4711"`
	Messages  []Message       `json:"messages" minItems:"1" maxItems:"1000" doc:"Turns, oldest first. They continue what the session already holds."`
	UserID    string          `json:"user_id,omitempty" maxLength:"256" doc:"User the turns belong to."`
	AgentID   string          `json:"agent_id,omitempty" maxLength:"256" doc:"Agent the turns belong to."`
	Tags      []string        `json:"tags,omitempty" maxItems:"64" doc:"Tags of every turn."`
	Metadata  memory.Metadata `json:"metadata,omitempty" doc:"Metadata of every turn, beside role, name, turn, previous and message_id."`
}

// Turn tells what became of one message.
type Turn struct {
	Index  int            `json:"index" doc:"Position in the request, from 0."`
	Turn   int            `json:"turn" doc:"Number of the turn in the session, from 1."`
	Status memory.Outcome `json:"status" enum:"created,deduplicated,updated" doc:"Whether the turn is new, was recognised, or was recognised by its id and has new words."`
	ID     memory.ID      `json:"id" doc:"The memory of the turn."`
}

// Recorded answers a conversation, turn by turn in the order posted.
type Recorded struct {
	SessionID    string `json:"session_id"`
	Created      int    `json:"created" doc:"How many turns are new."`
	Deduplicated int    `json:"deduplicated" doc:"How many stood already."`
	Updated      int    `json:"updated" doc:"How many stood already, with other words."`
	Results      []Turn `json:"results"`
}

// maxRaces is how often a post is numbered anew before it gives way; each time, another one has got through.
const maxRaces = 64

// errRaced says that somebody else appended to the session between reading and writing it.
var errRaced = errors.New("the session moved on")

// Conversation stores the turns as episodic memories in order, numbered on from what the session (of this user and
// agent) already holds, each linked to the one before.
//
// A turn that stands already is recognised, not stored again:
//   - a message with an id, by that id; other words under the same id write a new version of the turn;
//   - a message with a time, by role, name, content and time;
//   - messages with neither, by position: when the session's last turns are the first ones posted, those are the
//     same turns. So a transcript may be posted again with what was added, and a lost answer repeated, while a second
//     "yes" elsewhere in the session remains a turn of its own. Callers who post single turns without ids or times
//     tell repetitions apart from echoes with an Idempotency-Key.
//
// Turns are recognised among the newest 10,000 of the session. The turns of one call are one transaction.
func (s *Service) Conversation(ctx context.Context, scope memory.Scope, in Conversation, key memory.Key, why memory.Why) (Recorded, bool, error) {
	in.Messages = slices.Clone(in.Messages) // times are brought to the form they are stored in
	turns, err := in.memories(scope)
	if err != nil {
		return Recorded{}, false, err
	}
	post := posted{in: &in, turns: turns, vectors: make(map[int][]memory.Vector, len(turns))}
	for range maxRaces {
		if post.standing, err = s.standingTurns(ctx, scope, &in); err != nil {
			return Recorded{}, false, err
		}
		post.plan = align(in.Messages, post.standing)
		recorded, replayed, err := once(ctx, s, scope, key, func() error {
			return s.embedNew(ctx, scope, &post)
		}, func(tx memory.Tx) (Recorded, error) {
			return post.write(ctx, tx, why)
		})
		if !errors.Is(err, errRaced) {
			return recorded, replayed, err
		}
	}
	return Recorded{}, false, fault.New(fault.Unavailable, "session %q is being written to by others; try again", in.SessionID)
}

// memories checks the conversation and returns one memory per message, not yet numbered or linked.
func (in *Conversation) memories(scope memory.Scope) ([]memory.Memory, error) {
	c := complaints{prefix: "body."}
	if strings.TrimSpace(in.SessionID) == "" {
		c.add("session_id", "must not be empty")
	}
	c.name("session_id", in.SessionID, MaxName)
	c.name("user_id", in.UserID, MaxName)
	c.name("agent_id", in.AgentID, MaxName)
	tags := c.tags("tags", in.Tags)
	c.metadata("metadata", in.Metadata)
	for _, ours := range []string{metaRole, metaName, metaTurn, metaPrevious, metaMessageID} {
		if _, taken := in.Metadata[ours]; taken {
			c.add("metadata."+ours, "is set by RAE and must not be given")
		}
	}
	if len(in.Messages) == 0 || len(in.Messages) > MaxMessages {
		c.add("messages", "must hold 1 to %d messages", MaxMessages)
		return nil, c.err()
	}
	seen := make(map[string]bool)
	turns := make([]memory.Memory, len(in.Messages))
	for i := range in.Messages {
		turns[i] = in.turn(&c, scope, i, tags)
		if id := in.Messages[i].ID; id != "" {
			if seen[id] {
				c.add("messages["+strconv.Itoa(i)+"].id", "must not be given twice in one conversation")
			}
			seen[id] = true
		}
	}
	return turns, c.err()
}

// turn checks one message and returns its memory.
func (in *Conversation) turn(c *complaints, scope memory.Scope, i int, tags []string) memory.Memory {
	message, at := &in.Messages[i], "messages["+strconv.Itoa(i)+"]."
	if strings.TrimSpace(message.Role) == "" {
		c.add(at+"role", "must not be empty")
	}
	c.name(at+"id", message.ID, MaxMessageID)
	c.name(at+"role", message.Role, MaxRole)
	c.name(at+"name", message.Name, MaxName)
	c.content(at+"content", message.Content)
	message.At = c.when(at+"at", message.At)
	metadata := mergeObject(in.Metadata, map[string]any{metaRole: message.Role})
	if message.Name != "" {
		metadata[metaName] = message.Name
	}
	if message.ID != "" {
		metadata[metaMessageID] = message.ID
	}
	return memory.Memory{
		TenantID: scope.Tenant, ProjectID: scope.Project, Content: message.Content, Layer: memory.Episodic,
		Tags: tags, Metadata: metadata, Importance: DefaultImportance, Source: "conversation",
		UserID: in.UserID, AgentID: in.AgentID, SessionID: in.SessionID,
		OccurredAt: message.At, Embedding: memory.EmbeddingPending,
	}
}

// turnKey is the external id of a turn. Since it is unique in the project, two writers who number the same session
// at once cannot both succeed. The parts are hashed with their lengths, so no two sessions share a key.
func (in *Conversation) turnKey(number int) string {
	sum := sha256.New()
	for _, part := range []string{in.UserID, in.AgentID, in.SessionID} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return "conversation/" + hex.EncodeToString(sum.Sum(nil)[:16]) + "/" + strconv.Itoa(number)
}

// posted is a conversation on its way into the store.
type posted struct {
	in       *Conversation
	turns    []memory.Memory         // one per message
	vectors  map[int][]memory.Vector // by message; kept from one attempt to the next
	standing []standingTurn          // what the session held when it was read
	plan     []int                   // by message: the standing turn it repeats, or -1
}

// known reports whether message i stands already, word for word.
func (p *posted) known(i int) bool {
	return p.plan[i] >= 0 && p.in.Messages[i].said() == p.standing[p.plan[i]].message.said()
}

// embedNew fetches the vectors of the turns to be written that have none yet.
func (s *Service) embedNew(ctx context.Context, scope memory.Scope, p *posted) error {
	var at []int
	var texts []string
	for i := range p.turns {
		if _, had := p.vectors[i]; !had && !p.known(i) {
			at, texts = append(at, i), append(texts, p.turns[i].Content)
		}
	}
	fresh, err := s.embed(ctx, scope, texts)
	for i := range fresh {
		p.vectors[at[i]] = fresh[i]
	}
	return err
}

// write puts the new turns behind the standing ones, and new words of standing ones in their place. errRaced when a
// number is already taken.
func (p *posted) write(ctx context.Context, tx memory.Tx, why memory.Why) (Recorded, error) {
	results, all, at := p.place()
	written, err := tx.PutAll(ctx, all, why)
	if err != nil {
		return Recorded{}, err
	}
	for i, w := range written {
		switch {
		case w.Err != nil:
			return Recorded{}, w.Err
		case p.plan[at[i]] < 0 && w.Outcome != memory.Created:
			return Recorded{}, errRaced
		}
		results[at[i]].Status, results[at[i]].ID = w.Outcome, w.Memory.ID
	}
	recorded := Recorded{SessionID: p.in.SessionID, Results: results}
	for _, result := range results {
		recorded.count(result.Status)
	}
	return recorded, nil
}

// place numbers the turns and links each to the one before. It returns what becomes of all, where nothing is written, and
// what is to be written: all[i] is message at[i]. New turns get their ids here, for the next to link to.
func (p *posted) place() (results []Turn, all []memory.Entry, at []int) {
	last, previous := 0, ""
	if n := len(p.standing); n > 0 {
		last, previous = p.standing[n-1].number, string(p.standing[n-1].id)
	}
	for i, turn := range p.turns {
		result := Turn{Index: i, Turn: last + 1, Status: memory.Deduplicated}
		link := previous
		if p.plan[i] >= 0 {
			known := &p.standing[p.plan[i]]
			result.Turn, result.ID, link = known.number, known.id, known.previous
		} else {
			turn.ID = memory.NewID()
			last, previous = result.Turn, string(turn.ID)
		}
		if !p.known(i) {
			all, at = append(all, entry(p.in.placed(turn, result.Turn, link), p.vectors[i])), append(at, i)
		}
		results = append(results, result)
	}
	return results, all, at
}

func (r *Recorded) count(status memory.Outcome) {
	switch status {
	case memory.Created:
		r.Created++
	case memory.Updated:
		r.Updated++
	default:
		r.Deduplicated++
	}
}

// placed returns the turn with its number and its link to the turn before.
func (in *Conversation) placed(turn memory.Memory, number int, previous string) memory.Memory {
	turn.ExternalID = in.turnKey(number)
	turn.Metadata = mergeObject(turn.Metadata, map[string]any{metaTurn: json.Number(strconv.Itoa(number))})
	if previous != "" {
		turn.Metadata[metaPrevious] = previous
	}
	return turn
}

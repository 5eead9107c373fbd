package reflection

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Extraction is how memories are read: what they say is learned from then on. Storing never waits for it, and a memory that
// could not be read is found as it was told.
type Extraction struct {
	By    knowledge.Extractor // required
	Plain knowledge.Extractor // required: reads what By, which may ask a model, could not
	// Learn keeps what was read; doing it twice does nothing more. Required.
	Learn func(ctx context.Context, scope memory.Scope, read []knowledge.Extraction, why memory.Why) error
	Turns int           // that are read together: with so many waiting they are read at once; at least 1
	Wait  time.Duration // after which fewer are
}

const (
	assigned = "assigned" // the cursor of a reflection that reads what waits for it
	further  = "further"  // of one that reads what matches its filters, and has read a part
	// readAtOnce is how many memories are read in one piece of work without a model.
	readAtOnce = 200
	rulesMark  = "rules/" // editions that no model had a part in begin with
)

// await has memories that somebody told wait to be read, with others of their owner: of their user and agent, or else of their
// conversation.
func (s *Service) await(ctx context.Context, scope memory.Scope, told []memory.Memory) error {
	if s.Extraction == nil {
		return nil
	}
	wake, err := due(scope)
	if err != nil {
		return err
	}
	var owners []Waiting
	filters := map[string]memory.Filter{}
	for i := range told {
		m := &told[i]
		if m.Scope() != scope || !toldBySomebody(m) {
			continue
		}
		owner, filter := ownerOf(m)
		at := slices.IndexFunc(owners, func(w Waiting) bool { return w.Owner == owner })
		if at < 0 {
			at, filters[owner] = len(owners), filter
			owners = append(owners, Waiting{Owner: owner, Full: s.Extraction.Turns})
		}
		owners[at].Memories = append(owners[at].Memories, Reading{Memory: m.ID, Version: m.Version})
	}
	for _, w := range owners {
		for len(w.Memories) > 0 {
			next := s.queued(scope, Request{Kind: Extract, Filters: filters[w.Owner]})
			later := s.now().Add(s.Extraction.Wait)
			next.Cursor, next.NotBefore = assigned, &later
			dealt, err := s.Store.Await(ctx, scope, w, next, wake)
			if err != nil {
				return fmt.Errorf("have memories wait to be read: %w", err)
			}
			w.Memories = w.Memories[dealt:]
		}
	}
	return nil
}

// ownerOf names whose memories m is read with, and how they are told from others.
func ownerOf(m *memory.Memory) (string, memory.Filter) {
	filter := memory.Filter{UserID: m.UserID, AgentID: m.AgentID}
	if m.UserID == "" {
		filter.SessionID = m.SessionID
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%d:%s%s", len(filter.UserID), filter.UserID, len(filter.AgentID), filter.AgentID, filter.SessionID))
	return hex.EncodeToString(sum[:16]), filter
}

// extract reads a slice of what has not been read and has it learned. When all that the filters of a request select has been
// read, what they say of entities is quoted.
func (s *Service) extract(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	if s.Extraction == nil {
		return s.derive(ctx, scope, r)
	}
	unread, err := s.unread(ctx, scope, r)
	if err != nil {
		return found{}, err
	}
	f := found{method: Extractive}
	slice := readAtOnce
	if s.speaks() {
		slice = s.Extraction.Turns
	}
	if llm.DryRunOf(ctx) == nil && len(unread) > slice {
		unread, f.cursor = unread[:slice], cmp.Or(r.Cursor, further)
	}
	if len(unread) > 0 {
		if err := s.readOut(ctx, scope, r, unread, &f); err != nil {
			return found{}, err
		}
	}
	if f.cursor != "" || r.Cursor == assigned {
		return f, nil
	}
	derived, err := s.derive(ctx, scope, r)
	if err != nil {
		return found{}, err
	}
	derived.degraded = append(f.degraded, derived.degraded...)
	if f.method == LLM {
		derived.method = LLM
	}
	return derived, nil
}

// readOut reads memories, has it learned and remembers that they have been read.
func (s *Service) readOut(ctx context.Context, scope memory.Scope, r *Reflection, told []memory.Memory, f *found) error {
	asked, stop := context.WithTimeout(ctx, asking)
	read, err := s.Extraction.By.Extract(asked, scope, told)
	stop()
	if err != nil {
		if f.degraded, err = s.unanswered(ctx, r, err); err != nil {
			return err
		}
		if read, err = s.Extraction.Plain.Extract(ctx, scope, told); err != nil {
			return err
		}
	}
	if len(read) != len(told) {
		return fault.New(fault.Internal, "%d memories were read into %d extractions", len(told), len(read))
	}
	marks, statements, suspicious := make([]Reading, len(read)), 0, 0
	for i := range read {
		x := &read[i]
		marks[i] = Reading{Memory: told[i].ID, Version: told[i].Version, Edition: x.Edition}
		statements += len(x.Statements)
		for _, flag := range x.Flags {
			switch flag {
			case withoutBudget:
				f.degraded = append(f.degraded, withoutBudget)
			case "refused", "truncated":
				if marks[i].Edition = "tried/" + x.Edition; flag == "refused" { // asking again would say the same
					f.degraded = append(f.degraded, flag)
				}
			case "injection":
				suspicious++
			}
		}
		if x.Method == string(LLM) {
			f.method, r.Edition = LLM, x.Edition
		}
	}
	f.degraded = union(f.degraded)
	if err := s.Extraction.Learn(ctx, scope, read, memory.Why{Reason: "reflection " + string(r.ID)}); err != nil {
		return fmt.Errorf("learn what memories say: %w", err)
	}
	if err := s.Store.MarkRead(ctx, scope, marks); err != nil {
		return fmt.Errorf("remember what has been read: %w", err)
	}
	r.Read, r.Statements, r.Suspicious = r.Read+len(read), r.Statements+statements, r.Suspicious+suspicious
	return nil
}

// unread are the memories that r is to read and nobody has, in the order of their times.
func (s *Service) unread(ctx context.Context, scope memory.Scope, r *Reflection) ([]memory.Memory, error) {
	var told []memory.Memory
	if r.Cursor == assigned {
		waiting, err := s.Store.Assigned(ctx, scope, r.ID)
		if err != nil {
			return nil, err
		}
		wanted := map[memory.ID]bool{}
		for _, w := range waiting {
			wanted[w.Memory] = true
		}
		standing, err := s.find(ctx, scope, wanted)
		if err != nil {
			return nil, err
		}
		now := s.now()
		for _, m := range standing {
			if m.Scope() == scope && toldBySomebody(&m) && !m.Expired(now) {
				told = append(told, m)
			}
		}
	} else {
		all, _, err := s.read(ctx, scope, r)
		if err != nil {
			return nil, err
		}
		if told, err = s.withoutRead(ctx, scope, all); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(told, func(a, b memory.Memory) int {
		return cmp.Or(a.When().Compare(b.When()), cmp.Compare(a.ID, b.ID))
	})
	return told, nil
}

// withoutRead leaves out the memories of which the words that stand have been read: by a model, where there is one.
func (s *Service) withoutRead(ctx context.Context, scope memory.Scope, all []memory.Memory) ([]memory.Memory, error) {
	marks := map[memory.ID]Reading{}
	for some := range slices.Chunk(all, maxFind) {
		ids := make([]memory.ID, len(some))
		for i := range some {
			ids[i] = some[i].ID
		}
		read, err := s.Store.Read(ctx, scope, ids)
		if err != nil {
			return nil, err
		}
		for _, mark := range read {
			marks[mark.Memory] = mark
		}
	}
	var left []memory.Memory
	for _, m := range all {
		mark, known := marks[m.ID]
		read := known && mark.Edition != "" && !(s.speaks() && strings.HasPrefix(mark.Edition, rulesMark))
		if read && mark.Version != m.Version {
			same, err := s.sameWords(ctx, scope, &m, mark.Version)
			if err != nil {
				return nil, err
			}
			read = same
		}
		if !read {
			left = append(left, m)
		}
	}
	return left, nil
}

// sameWords reports whether an earlier version of a memory said what it says now: fading makes versions, too.
func (s *Service) sameWords(ctx context.Context, scope memory.Scope, m *memory.Memory, version int) (bool, error) {
	if s.Keeper == nil {
		return false, nil
	}
	history, err := s.Keeper.History(ctx, scope, m.ID)
	if fault.KindOf(err) == fault.NotFound {
		return true, nil // it has gone meanwhile
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(history, func(v memory.Version) bool { return v.Version == version && v.Content == m.Content }), nil
}

// Unread forgets that a memory, which is gone, was read.
func (s *Service) Unread(ctx context.Context, scope memory.Scope, id memory.ID) error {
	if err := s.Store.Unmark(ctx, scope, id); err != nil {
		return fmt.Errorf("forget that memory %s was read: %w", id, err)
	}
	return nil
}

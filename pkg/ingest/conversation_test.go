package ingest_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func user(text string) ingest.Message      { return ingest.Message{Role: "user", Content: text} }
func assistant(text string) ingest.Message { return ingest.Message{Role: "assistant", Content: text} }

func mustConverse(t *testing.T, s *ingest.Service, messages ...ingest.Message) ingest.Recorded {
	t.Helper()
	recorded, _, err := s.Conversation(t.Context(), here, ingest.Conversation{SessionID: "s", Messages: messages}, memory.Key{}, memory.Why{})
	if err != nil {
		t.Fatalf("conversation: %v", err)
	}
	return recorded
}

// transcript tells what the session holds, turn by turn.
func transcript(t *testing.T, s *ingest.Service) []string {
	t.Helper()
	turns := everything(t, s, here)
	slices.SortFunc(turns, func(a, b memory.Memory) int { return strings.Compare(order(a), order(b)) })
	var told []string
	for _, m := range turns {
		told = append(told, fmt.Sprintf("%v %v: %s", m.Metadata["turn"], m.Metadata["role"], m.Content))
	}
	return told
}

func order(m memory.Memory) string { return fmt.Sprintf("%8v", m.Metadata["turn"]) }

func TestTurnsBecomeMemoriesLinkedInOrder(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	said := start.Add(-time.Hour)
	recorded, _, err := s.Conversation(t.Context(), here, ingest.Conversation{
		SessionID: "s", UserID: "u", AgentID: "a", Tags: []string{"call"}, Metadata: memory.Metadata{"channel": "phone"},
		Messages: []ingest.Message{
			{Role: "user", Name: "Alice", Content: " hi\n", At: &said},
			{ID: "m2", Role: "assistant", Content: "hello"},
		},
	}, memory.Key{}, memory.Why{})
	if err != nil {
		t.Fatal(err)
	}
	got := everything(t, s, here)
	if len(got) != 2 {
		t.Fatalf("%d memories, want 2", len(got))
	}
	base := memory.Memory{
		TenantID: "acme", ProjectID: "support", Layer: memory.Episodic, Tags: []string{"call"}, Importance: 0.5,
		Source: "conversation", UserID: "u", AgentID: "a", SessionID: "s",
		Embedding: memory.EmbeddingReady, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	first, second := base, base
	first.ID, first.ExternalID, first.Content, first.OccurredAt = got[0].ID, got[0].ExternalID, " hi\n", &said
	first.Metadata = memory.Metadata{"channel": "phone", "role": "user", "name": "Alice", "turn": json.Number("1")}
	second.ID, second.ExternalID, second.Content = got[1].ID, got[1].ExternalID, "hello"
	second.Metadata = memory.Metadata{"channel": "phone", "role": "assistant", "turn": json.Number("2"), "message_id": "m2", "previous": string(first.ID)}
	if want := []memory.Memory{first, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want := ingest.Recorded{SessionID: "s", Created: 2, Results: []ingest.Turn{
		{Index: 0, Turn: 1, Status: memory.Created, ID: first.ID}, {Index: 1, Turn: 2, Status: memory.Created, ID: second.ID},
	}}
	if !reflect.DeepEqual(recorded, want) {
		t.Errorf("answered %+v\nwant %+v", recorded, want)
	}
	if n := embedder.calls.Load(); n != 1 {
		t.Errorf("embedded in %d calls, want one", n)
	}
}

func TestARepeatedConversationIsRecognised(t *testing.T) {
	t.Parallel()
	at := func(minute int) *time.Time { return ptr(start.Add(time.Duration(minute-60) * time.Minute)) }
	timed := func(minute int, m ingest.Message) ingest.Message { m.At = at(minute); return m }
	named := func(id string, m ingest.Message) ingest.Message { m.ID = id; return m }
	rows := []struct {
		name  string
		posts [][]ingest.Message
		want  []string
	}{
		{
			"the same post twice",
			[][]ingest.Message{{user("a"), assistant("b")}, {user("a"), assistant("b")}},
			[]string{"1 user: a", "2 assistant: b"},
		}, {
			"the transcript posted again with what was added",
			[][]ingest.Message{{user("a"), assistant("b")}, {user("a"), assistant("b"), user("c")}},
			[]string{"1 user: a", "2 assistant: b", "3 user: c"},
		}, {
			"only what was added",
			[][]ingest.Message{{user("a"), assistant("b")}, {user("c")}, {assistant("d")}},
			[]string{"1 user: a", "2 assistant: b", "3 user: c", "4 assistant: d"},
		}, {
			"the last post again, after others",
			[][]ingest.Message{{user("a"), assistant("b")}, {user("c"), assistant("d")}, {user("c"), assistant("d")}},
			[]string{"1 user: a", "2 assistant: b", "3 user: c", "4 assistant: d"},
		}, {
			"a second yes is a turn of its own",
			[][]ingest.Message{{assistant("sure?"), user("yes"), assistant("really?"), user("yes")}, {assistant("so be it"), user("yes")}},
			[]string{"1 assistant: sure?", "2 user: yes", "3 assistant: really?", "4 user: yes", "5 assistant: so be it", "6 user: yes"},
		}, {
			"the same words in another role",
			[][]ingest.Message{{user("hello")}, {assistant("hello")}},
			[]string{"1 user: hello", "2 assistant: hello"},
		}, {
			"an earlier post with times comes again",
			[][]ingest.Message{{timed(1, user("yes"))}, {timed(2, user("yes"))}, {timed(1, user("yes"))}},
			[]string{"1 user: yes", "2 user: yes"},
		}, {
			"equal words at one time, twice in one post",
			[][]ingest.Message{{timed(1, user("yes")), timed(1, user("yes"))}, {timed(1, user("yes")), timed(1, user("yes"))}},
			[]string{"1 user: yes", "2 user: yes"},
		}, {
			"ids recognise turns in any order",
			[][]ingest.Message{{named("1", user("a")), named("2", user("a"))}, {named("2", user("a")), named("3", user("a")), named("1", user("a"))}},
			[]string{"1 user: a", "2 user: a", "3 user: a"},
		}, {
			"an id with other words is corrected in its place",
			[][]ingest.Message{{named("1", user("helo")), named("2", assistant("hi"))}, {named("1", user("hello"))}},
			[]string{"1 user: hello", "2 assistant: hi"},
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := world(t)
			for _, post := range row.posts {
				mustConverse(t, s, post...)
			}
			if got := transcript(t, s); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

func TestACorrectedTurnKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	first := mustConverse(t, s, ingest.Message{ID: "1", Role: "user", Content: "a"}, ingest.Message{ID: "2", Role: "user", Content: "helo"})
	second := mustConverse(t, s, ingest.Message{ID: "2", Role: "user", Content: "hello"})
	want := ingest.Recorded{SessionID: "s", Updated: 1, Results: []ingest.Turn{{Turn: 2, Status: memory.Updated, ID: first.Results[1].ID}}}
	if !reflect.DeepEqual(second, want) {
		t.Errorf("got %+v, want %+v", second, want)
	}
	m, err := s.Get(t.Context(), here, first.Results[1].ID, memory.View{})
	if err != nil || m.Version != 2 || m.Metadata["previous"] != string(first.Results[0].ID) {
		t.Errorf("got %+v, %v; want version 2, linked to the first turn", m, err)
	}
}

func TestSessionsOfTwoUsersAreApart(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for _, who := range []string{"u", "v"} {
		recorded, _, err := s.Conversation(t.Context(), here, ingest.Conversation{SessionID: "s", UserID: who, Messages: []ingest.Message{user("hi")}}, memory.Key{}, memory.Why{})
		if err != nil || recorded.Created != 1 || recorded.Results[0].Turn != 1 {
			t.Errorf("user %s got %+v, %v; want a first turn", who, recorded, err)
		}
	}
}

func TestWritersOfOneSessionGetDistinctTurns(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() { mustConverse(t, s, user(fmt.Sprintf("message %d", i))) })
	}
	group.Wait()
	var numbers []string
	for i, told := range transcript(t, s) {
		number, _, _ := strings.Cut(told, " ")
		numbers = append(numbers, number)
		if number != fmt.Sprint(i+1) {
			t.Fatalf("turns are %v, want 1 to 8", numbers)
		}
	}
	if len(numbers) != 8 {
		t.Errorf("turns are %v, want 1 to 8", numbers)
	}
}

func TestALongSessionIsContinued(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	var all []ingest.Message
	for i := range 1000 {
		all = append(all, user(fmt.Sprint(i)))
	}
	mustConverse(t, s, all...)
	if got := mustConverse(t, s, user("more")); got.Results[0].Turn != 1001 {
		t.Errorf("continued at turn %d, want 1001", got.Results[0].Turn)
	}
	if got := mustConverse(t, s, append(all[1:], user("more"))...); got.Deduplicated != 1000 {
		t.Errorf("recognised %d of 1000", got.Deduplicated)
	}
}

func TestAConversationWithAKeyIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	in := ingest.Conversation{SessionID: "s", Messages: []ingest.Message{user("yes")}}
	first, _, err := s.Conversation(t.Context(), here, in, key("k", "f"), memory.Why{})
	if err != nil {
		t.Fatal(err)
	}
	mustConverse(t, s, assistant("well"))
	again, replayed, err := s.Conversation(t.Context(), here, in, key("k", "f"), memory.Why{})
	if err != nil || !replayed || !reflect.DeepEqual(again, first) {
		t.Errorf("got %+v, replayed %t, %v; want %+v", again, replayed, err, first)
	}
}

func TestAConversationAtFaultNamesTheField(t *testing.T) {
	t.Parallel()
	one := []ingest.Message{user("x")}
	rows := []struct {
		field string
		in    ingest.Conversation
	}{
		{"session_id", ingest.Conversation{Messages: one}},
		{"session_id", ingest.Conversation{SessionID: "a\nb", Messages: one}},
		{"user_id", ingest.Conversation{SessionID: "s", UserID: strings.Repeat("x", 257), Messages: one}},
		{"tags[0]", ingest.Conversation{SessionID: "s", Tags: []string{""}, Messages: one}},
		{"metadata.turn", ingest.Conversation{SessionID: "s", Metadata: memory.Metadata{"turn": true}, Messages: one}},
		{"messages", ingest.Conversation{SessionID: "s"}},
		{"messages", ingest.Conversation{SessionID: "s", Messages: make([]ingest.Message, 1001)}},
		{"messages[1].content", ingest.Conversation{SessionID: "s", Messages: []ingest.Message{user("x"), user(" ")}}},
		{"messages[0].role", ingest.Conversation{SessionID: "s", Messages: []ingest.Message{{Content: "x"}}}},
		{"messages[0].at", ingest.Conversation{SessionID: "s", Messages: []ingest.Message{{Role: "user", Content: "x", At: ptr(time.Time{})}}}},
		{"messages[1].id", ingest.Conversation{SessionID: "s", Messages: []ingest.Message{{ID: "1", Role: "user", Content: "x"}, {ID: "1", Role: "user", Content: "y"}}}},
	}
	for _, row := range rows {
		t.Run(row.field, func(t *testing.T) {
			t.Parallel()
			s, _ := world(t)
			_, _, err := s.Conversation(t.Context(), here, row.in, memory.Key{}, memory.Why{})
			wantFault(t, err, fault.Invalid, "body."+row.field)
		})
	}
}

package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// MaxAnswer is how many bytes of an answer adapters under RunChat shall take.
const MaxAnswer = 1 << 20

// Chat is an adapter to a provider of language models under test.
type Chat struct {
	Name string // of the provider
	// Open makes the adapter, for a server at the address, with Key and MaxAnswer, logging to log.
	Open func(address string, log *slog.Logger) (llm.Provider, error)
	// Question reads a request as it should be, and fails where it is not.
	Question func(r *http.Request, body []byte) (Question, error)
	// Whole is an answer in the provider's format, and Events are the same one as a stream of at least three, each without
	// the blank line that ends it.
	Whole  func(Said) string
	Events func(Said) []string
	// Spare is how many of the last events may be missing without harm.
	Spare int
	// Thinks tells that the provider says how many tokens went into thinking.
	Thinks bool
	// Wrong are whole answers that are none, by what is wrong with them.
	Wrong map[string]string
	// Failures are events that tell of a failure, by its kind.
	Failures map[fault.Kind]string
	// Overflow and Filter are how the provider refuses, with 400, what the model cannot hold and what its filter keeps from
	// it; "" = it has another way.
	Overflow, Filter string
}

// Question is what an adapter asked.
type Question struct {
	System    string
	Turns     []llm.Message // "user" and "assistant"
	MaxTokens int
	Schema    string // "" = none
	Stream    bool
}

// End is why an answer ended.
type End int

const (
	Done    End = iota // the model had no more to say
	Length             // it was not to say more
	Refused            // it would not, or a filter would not let it
)

// Said is an answer to be written in a provider's format.
type Said struct {
	Parts []string // of the text
	End   End
	Usage *llm.Usage // nil = not told
}

// Schema is of {"answer": "…"}, and RightJSON follows it.
const (
	Schema    = `{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}`
	RightJSON = `{"answer":"Yes, that one."}`
)

// chatting is a run of the suite.
type chatting struct {
	*Chat

	log lines
}

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// model is the adapter as RAE uses it.
func (c *chatting) model(t *testing.T, address string, meter llm.Meter) llm.Model {
	t.Helper()
	p, err := c.Open(address, slog.New(slog.NewJSONHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	m, err := llm.NewRemote(p, llm.Spec{Provider: c.Name, Model: "m", MaxTokensIn: 10_000, MaxTokensOut: 1000}, meter)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// heard is what came of a request.
type heard struct {
	llm.Response
	parts []string
	meter *Meter
	err   error
}

// asks has a server answer by handle.
func (c *chatting) asks(ctx context.Context, t *testing.T, handle http.HandlerFunc, r llm.Request, streamed bool) (h heard) {
	t.Helper()
	server := httptest.NewServer(handle)
	defer server.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if streamed {
		r.Heard = func(part string) { h.parts = append(h.parts, part) }
	}
	h.meter = new(Meter)
	h.Response, h.err = c.model(t, server.URL, h.meter).Complete(ctx, r)
	return h
}

// says answers a question after it has been read, in the way it was asked, in chunks of so many bytes (0 = all at once).
func (c *chatting) says(t *testing.T, said Said, chunk int, asked func(Question)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		q, err := c.Question(r, body)
		if err != nil {
			t.Errorf("asked %s %s: %v", r.URL, body, err)
		}
		if asked != nil {
			asked(q)
		}
		media, text := "application/json", ""
		if q.Stream {
			media, text = "text/event-stream", stream(c.Events(said))
		} else {
			text = c.Whole(said)
		}
		w.Header().Set("Content-Type", media)
		if chunk == 0 {
			chunk = max(len(text), 1)
		}
		for part := range slices.Chunk([]byte(text), chunk) {
			_, _ = w.Write(part)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func stream(events []string) string {
	if len(events) == 0 {
		return ""
	}
	return strings.Join(events, "\n\n") + "\n\n"
}

var (
	consumed = llm.Usage{TokensIn: 40, TokensOut: 12, CachedTokens: 10, ReasoningTokens: 5}
	yes      = Said{Parts: []string{"Yes, ", "über ", "that ", "\"one\"\n", "😀"}, Usage: &consumed}
)

func question() llm.Request {
	return llm.Request{MaxTokens: 100, Messages: []llm.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: Words}}}
}

// RunChat holds the adapter to the contract of llm.Provider, behind llm.Remote, and to what package provider promises.
func RunChat(t *testing.T, chat Chat) {
	c := &chatting{Chat: &chat}
	for _, way := range []struct {
		name     string
		streamed bool
	}{{"whole", false}, {"streamed", true}} {
		t.Run(way.name, func(t *testing.T) {
			c.manners(t, way.name, way.streamed)
			run := contract.Begin(t, "providertest chat", c.Name+" "+way.name)
			clause := func(name string, test func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard)) {
				run.Clause(t, name, func(t *testing.T) {
					test(t, func(t *testing.T, handle http.HandlerFunc) heard {
						return c.asks(t.Context(), t, handle, question(), way.streamed)
					})
				})
			}
			c.answers(clause)
			c.errors(clause)
			c.ends(clause)
			run.Clause(t, "a caller that left waits no longer", func(t *testing.T) { c.leaves(t, way.streamed) })
		})
	}
	run := contract.Begin(t, "providertest chat", c.Name)
	run.Clause(t, "the provider is asked as it documents it", c.asked)
	run.Clause(t, "an answer follows the schema, at the second time of asking at the latest", c.structured)
	run.Clause(t, "the parts of a stream are the text, however it is cut", c.cut)
	run.Clause(t, "half a stream is no answer", c.half)
	run.Clause(t, "a failure within a stream has the kind of what is wrong", c.fails)
	run.Clause(t, "neither the key nor what was asked is logged", c.keepsQuiet)
	t.Cleanup(func() { c.quiet(t) }) // when all clauses have logged what they had to
}

// quiet wants a log that names the provider, and neither the key nor what was asked.
func (c *chatting) quiet(t *testing.T) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if log := c.log.text.String(); !strings.Contains(log, c.Name) || strings.Contains(log, Key) || strings.Contains(log, Words) {
		t.Errorf("the log names no provider, or tells a secret:\n%s", log)
	}
}

// keepsQuiet has everything that goes wrong repeat the key and what was asked.
func (c *chatting) keepsQuiet(t *testing.T) {
	alone := &chatting{Chat: c.Chat}
	const tale = Key + " " + Words
	for _, status := range []int{200, 400, 401, 429, 500} {
		handle := func(w http.ResponseWriter, r *http.Request) {
			body := `{"error":{"message":"` + tale + `","code":"` + Key + `","type":"` + tale + `"}}`
			answers(status, "application/json", body, "Retry-After", "0", "X-Request-Id", tale, "Location", "/"+Key)(w, r)
		}
		for _, streamed := range []bool{false, true} {
			got := alone.asks(t.Context(), t, handle, question(), streamed)
			if got.err == nil || strings.Contains(fmt.Sprintf("%+v %+v", got.err, got.meter.Calls()), Key) || strings.Contains(got.err.Error(), Words) {
				t.Errorf("%d: got %+v", status, got)
			}
		}
	}
	alone.quiet(t)
}

// manners holds the adapter to what package provider promises.
func (c *chatting) manners(t *testing.T, way string, streamed bool) {
	s := Subject{
		Name: c.Name, Wrong: map[string]string{"another API": `{"embeddings":[]}`, "null": "null", "text": `"yes"`, "an array": "[]"},
		Ask: func(ctx context.Context, address string) error {
			r := question()
			if streamed {
				r.Heard = func(string) {}
			}
			_, err := c.model(t, address, new(Meter)).Complete(ctx, r)
			return err
		},
		Answer: func(*http.Request, []byte) string { return c.Whole(yes) },
	}
	for name, wrong := range c.Wrong {
		s.Wrong[name] = wrong
	}
	if streamed {
		s.Media = "text/event-stream"
		s.Answer = func(*http.Request, []byte) string { return stream(c.Events(yes)) }
		for name, wrong := range s.Wrong {
			s.Wrong[name] = "data: " + wrong + "\n\n"
		}
		s.Wrong["no JSON"] = "data: {\n\n"
		s.Wrong["events without data"] = "event: ping\n\n"
	}
	Run(t, c.Name+" chat "+way, s)
}

// clauses adds one, whose ask asks question.
type clauses func(name string, test func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard))

func (c *chatting) answers(clause clauses) {
	clause("an answer is told with what it consumed", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		got := ask(t, c.says(t, yes, 0, nil))
		want := consumed
		if !c.Thinks {
			want.ReasoningTokens = 0
		}
		if got.err != nil || got.Text != strings.Join(yes.Parts, "") || got.Model == "" || got.Truncated || got.Usage != want || !slices.Equal(got.meter.Used(), []llm.Usage{want}) {
			t.Errorf("got %+v\nused %+v", got, want)
		}
	})
	clause("what it consumed is counted where nobody says", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		got := ask(t, c.says(t, Said{Parts: yes.Parts}, 0, nil))
		if got.err != nil || !got.Usage.Estimated || got.Usage.TokensIn < 10 || got.Usage.TokensOut < 5 || !slices.Equal(got.meter.Used(), []llm.Usage{got.Usage}) {
			t.Errorf("got %+v", got)
		}
	})
}

func (c *chatting) errors(clause clauses) {
	clause("an answer of another media type is none", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		for _, media := range []string{"", "text/html", "application/json", "text/event-stream"} {
			right := c.says(t, yes, 0, nil)
			got := ask(t, func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				right(answer, r)
				if answer.Header().Get("Content-Type") == media || media == "" && !strings.Contains(r.Header.Get("Accept"), "event") {
					answer.Body.Reset() // it is right as it is: JSON may come under no name
				}
				w.Header().Set("Content-Type", media)
				_, _ = w.Write(answer.Body.Bytes())
			})
			wantFault(t, c.Name, got.err, fault.Unavailable, true)
		}
	})
	clause("an error in the place of an answer has its kind", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		for body, want := range map[string]fault.Kind{c.Overflow: fault.TooLarge, c.Filter: fault.Invalid} {
			if body == "" {
				continue
			}
			got := ask(t, answers(400, "application/json", body))
			wantFault(t, c.Name, got.err, want, want == fault.Invalid)
			if llm.WasRefused(got.err) != (want == fault.Invalid) {
				t.Errorf("%s: got %v", body, got.err)
			}
		}
	})
	clause("an answer without end is not read to it", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		got := ask(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			filling := "          "
			if strings.Contains(r.Header.Get("Accept"), "event") {
				w.Header().Set("Content-Type", "text/event-stream")
				filling = ": nothing\n"
			}
			filling = strings.Repeat(filling, 1000)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, filling); err != nil {
					return
				}
			}
		})
		wantFault(t, c.Name, got.err, fault.Unavailable, true)
	})
}

func (c *chatting) ends(clause clauses) {
	clause("an answer that had to end is said to be truncated", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		said := yes
		said.End = Length
		if got := ask(t, c.says(t, said, 0, nil)); got.err != nil || !got.Truncated || got.Text != strings.Join(yes.Parts, "") {
			t.Errorf("got %+v", got)
		}
	})
	clause("a refusal is no answer, and is paid for", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		for _, parts := range [][]string{nil, {Words}} {
			got := ask(t, c.says(t, Said{Parts: parts, End: Refused, Usage: &consumed}, 0, nil))
			wantFault(t, c.Name, got.err, fault.Invalid, true)
			if !llm.WasRefused(got.err) || got.Response != (llm.Response{}) || got.meter.Used()[0].TokensIn != consumed.TokensIn {
				t.Errorf("got %+v", got)
			}
		}
	})
	clause("an answer without text is none", func(t *testing.T, ask func(*testing.T, http.HandlerFunc) heard) {
		for _, end := range []End{Done, Length} {
			got := ask(t, c.says(t, Said{End: end, Usage: &consumed}, 0, nil))
			wantFault(t, c.Name, got.err, fault.Unavailable, true)
			if got.meter.Used()[0].TokensOut != consumed.TokensOut {
				t.Errorf("got %+v", got)
			}
		}
	})
}

// leaves has the caller leave before an answer begins, and in the midst of it.
func (c *chatting) leaves(t *testing.T, streamed bool) {
	for _, begun := range []bool{false, true} {
		over := make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if begun {
				media, text := "application/json", "{"
				if streamed {
					media, text = "text/event-stream", stream(c.Events(yes)[:2])
				}
				w.Header().Set("Content-Type", media)
				_, _ = io.WriteString(w, text)
				_ = http.NewResponseController(w).Flush()
			}
			leave()
			<-over
		}))
		r := question()
		if streamed {
			r.Heard = func(string) {}
		}
		m := new(Meter)
		got, err := c.model(t, server.URL, m).Complete(ctx, r) // whoever waits for the server waits for ever
		close(over)
		server.Close()
		wantFault(t, c.Name, err, fault.Cancelled, begun || llm.WasSpent(err)) // it may be gone before it knows that it has asked
		if got != (llm.Response{}) || m.Used()[0] != (llm.Usage{}) {
			t.Errorf("got %+v, used %+v", got, m.Used())
		}
	}
}

// asked compares what the server was asked with what the adapter was.
func (c *chatting) asked(t *testing.T) {
	turns := []llm.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "user", Content: Words}}
	rules := []llm.Message{{Role: "system", Content: "One."}, {Role: "system", Content: "Two."}}
	for name, r := range map[string]struct {
		request  llm.Request
		streamed bool
		want     Question
	}{
		"a question":     {llm.Request{Messages: turns[2:], MaxTokens: 7}, false, Question{Turns: turns[2:], MaxTokens: 7}},
		"a conversation": {llm.Request{Messages: slices.Concat(rules, turns), MaxTokens: 8}, false, Question{System: "One.\n\nTwo.", Turns: turns, MaxTokens: 8}},
		"for a stream":   {llm.Request{Messages: slices.Concat(rules[:1], turns), MaxTokens: 9}, true, Question{System: "One.", Turns: turns, MaxTokens: 9, Stream: true}},
		"for JSON":       {llm.Request{Messages: turns[2:], MaxTokens: 9, Schema: json.RawMessage(Schema)}, false, Question{Turns: turns[2:], MaxTokens: 9, Schema: Schema}},
	} {
		var asked []Question
		said := Said{Parts: []string{RightJSON}, Usage: &consumed}
		got := c.asks(t.Context(), t, c.says(t, said, 0, func(q Question) { asked = append(asked, q) }), r.request, r.streamed)
		if got.err != nil || !reflect.DeepEqual(asked, []Question{r.want}) {
			t.Errorf("%s: got %v, asked %+v\nwant %+v", name, got.err, asked, r.want)
		}
	}
}

func (c *chatting) structured(t *testing.T) {
	for name, r := range map[string]struct {
		said  []string
		right bool
	}{
		"right":              {[]string{RightJSON}, true},
		"right at last":      {[]string{`{"answer":7}`, RightJSON}, true},
		"words at first":     {[]string{"Sure! " + RightJSON, RightJSON}, true},
		"wrong":              {[]string{Words, Words}, false},
		"of another shape":   {[]string{`{"reply":"yes"}`, `[]`}, false},
		"more than is asked": {[]string{`{"answer":"yes","why":"so"}`, `{"answer":"yes","why":"so"}`}, false},
	} {
		var asked []Question
		request := question()
		request.Schema = json.RawMessage(Schema)
		got := c.asks(t.Context(), t, func(w http.ResponseWriter, q *http.Request) {
			said := Said{Parts: []string{r.said[min(len(asked), len(r.said)-1)]}, Usage: &consumed}
			c.says(t, said, 0, func(q Question) { asked = append(asked, q) })(w, q)
		}, request, false)
		if len(asked) != len(r.said) || len(got.meter.Calls()) != len(r.said) {
			t.Errorf("%s: asked %+v, metered %+v", name, asked, got.meter.Calls())
		}
		if r.right && (got.err != nil || got.Text != RightJSON || got.Usage.TokensIn != consumed.TokensIn*len(r.said)) {
			t.Errorf("%s: got %+v", name, got)
		}
		if !r.right {
			wantFault(t, c.Name, got.err, fault.Unavailable, true)
		}
		if last := asked[len(asked)-1]; len(r.said) > 1 && (len(last.Turns) != 3 || last.Turns[1].Content != r.said[0] || last.Schema != Schema) {
			t.Errorf("%s: asked again for %+v", name, last)
		}
	}
}

func (c *chatting) cut(t *testing.T) {
	for _, chunk := range []int{1, 3, 7, 64, 0} {
		got := c.asks(t.Context(), t, c.says(t, yes, chunk, nil), question(), true)
		if got.err != nil || !slices.Equal(got.parts, yes.Parts) || got.Text != strings.Join(yes.Parts, "") {
			t.Errorf("by %d bytes: got %+v", chunk, got)
		}
	}
}

func (c *chatting) half(t *testing.T) {
	all := c.Events(yes)
	for n := range len(all) - c.Spare {
		for how, handle := range map[string]http.HandlerFunc{
			"ended":     answers(200, "text/event-stream", stream(all[:n])),
			"cut off":   cutOff("text/event-stream", stream(all[:n])+": \n"),
			"in events": answers(200, "text/event-stream", stream(all[:n])+all[n][:len(all[n])-1]),
		} {
			got := c.asks(t.Context(), t, handle, question(), true)
			if got.Response != (llm.Response{}) || got.meter.Used()[0] != (llm.Usage{}) {
				t.Errorf("%s after %d events: got %+v", how, n, got)
			}
			wantFault(t, c.Name, got.err, fault.Unavailable, true)
		}
	}
}

func (c *chatting) fails(t *testing.T) {
	if len(c.Failures) == 0 {
		t.Error("how does it tell of a failure?")
	}
	for kind, event := range c.Failures {
		for _, before := range []int{0, 2} {
			got := c.asks(t.Context(), t, answers(200, "text/event-stream", stream(append(c.Events(yes)[:before], event))), question(), true)
			wantFault(t, c.Name, got.err, kind, true)
			if got.Response != (llm.Response{}) {
				t.Errorf("got %+v", got)
			}
		}
	}
}

// Text is text as JSON.
func Text(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(quoted)
}

package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

// scripted answers one after the other, and keeps what it was asked.
type scripted struct {
	answers []llm.Response
	err     error // with the answer, when the script has one left
	asked   []llm.Request
}

func (s *scripted) Ask(_ context.Context, r llm.Request) (llm.Response, error) {
	s.asked = append(s.asked, r)
	if len(s.answers) == 0 {
		return llm.Response{}, s.err
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer, s.err
}

func remote(t *testing.T, p llm.Provider, m llm.Meter, change ...func(*llm.Spec)) *llm.Remote {
	t.Helper()
	s := llm.Spec{Provider: "acme-ai", Model: "words-1", MaxTokensIn: 1000, MaxTokensOut: 100}
	for _, c := range change {
		c(&s)
	}
	r, err := llm.NewRemote(p, s, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(text string) []llm.Message { return []llm.Message{{Role: "user", Content: text}} }

func TestAnAnswerIsGivenOutAndBooked(t *testing.T) {
	t.Parallel()
	said := llm.Response{Text: "Hello.", Model: "words-1-2026", Truncated: true, Usage: llm.Usage{TokensIn: 9, TokensOut: 5, CachedTokens: 3, ReasoningTokens: 2}}
	p, m := &scripted{answers: []llm.Response{said}}, new(providertest.Meter)
	got, err := remote(t, p, m).Complete(t.Context(), llm.Request{
		Operation: "test", MaxTokens: 50, Messages: []llm.Message{{"system", "Be br\xffief.\x00"}, {"user", "Hi"}},
	})
	if err != nil || got != said {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := []llm.Message{{"system", "Be br\uFFFDief.\uFFFD"}, {"user", "Hi"}}; !reflect.DeepEqual(p.asked[0].Messages, want) {
		t.Errorf("asked %+v", p.asked[0])
	}
	want := []llm.Call{{Operation: "test", Provider: "acme-ai", Model: "words-1", Most: llm.Usage{TokensIn: 8 + 4 + 4 + 8 + 1, TokensOut: 50, Estimated: true}}}
	want[0].Most.TokensIn = 8 + llm.EstimateTokens("Be br\uFFFDief.\uFFFD") + 8 + 1
	if !reflect.DeepEqual(m.Calls(), want) || !reflect.DeepEqual(m.Used(), []llm.Usage{said.Usage}) {
		t.Errorf("metered %+v, used %+v", m.Calls(), m.Used())
	}
}

func TestWhatAProviderDoesNotSayIsCounted(t *testing.T) {
	t.Parallel()
	words := func(s *llm.Spec) { s.Count = func(text string) int { return len(strings.Fields(text)) } }
	for name, c := range map[string]struct{ said, want llm.Usage }{
		"nothing":    {llm.Usage{}, llm.Usage{TokensIn: 11, TokensOut: 2, Estimated: true}},
		"only input": {llm.Usage{TokensIn: 7}, llm.Usage{TokensIn: 7, TokensOut: 2, Estimated: true}},
		"all of it":  {llm.Usage{TokensIn: 7, TokensOut: 1}, llm.Usage{TokensIn: 7, TokensOut: 1}},
		"nonsense":   {llm.Usage{TokensIn: -7, TokensOut: 5, CachedTokens: 99, ReasoningTokens: -1}, llm.Usage{TokensIn: 11, TokensOut: 5, CachedTokens: 11, Estimated: true}},
	} {
		m := new(providertest.Meter)
		p := &scripted{answers: []llm.Response{{Text: "two words", Usage: c.said}}}
		got, err := remote(t, p, m, words).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("Three words now")})
		if err != nil || got.Usage != c.want || m.Used()[0] != c.want || m.Calls()[0].Operation != "chat" {
			t.Errorf("%s: got %+v, booked %+v, %v", name, got.Usage, m.Used(), err)
		}
	}
}

func TestWhatMayNotBeAskedIsNotSent(t *testing.T) {
	t.Parallel()
	hot := 2.5
	good := llm.Request{MaxTokens: 1, Messages: user("a")}
	for name, c := range map[string]struct {
		change func(*llm.Request)
		want   fault.Kind
	}{
		"no tokens":               {func(r *llm.Request) { r.MaxTokens = 0 }, fault.Internal},
		"too many tokens":         {func(r *llm.Request) { r.MaxTokens = 101 }, fault.Internal},
		"too long":                {func(r *llm.Request) { r.Messages = user(strings.Repeat("abc", 993)) }, fault.TooLarge},
		"a temperature":           {func(r *llm.Request) { r.Temperature = &hot }, fault.Internal},
		"no messages":             {func(r *llm.Request) { r.Messages = nil }, fault.Internal},
		"a blank message":         {func(r *llm.Request) { r.Messages = user(" \n") }, fault.Internal},
		"an unknown role":         {func(r *llm.Request) { r.Messages[0].Role = "tool" }, fault.Internal},
		"the last word":           {func(r *llm.Request) { r.Messages = append(r.Messages, llm.Message{"assistant", "b"}) }, fault.Internal},
		"the system later":        {func(r *llm.Request) { r.Messages = append(r.Messages, llm.Message{"system", "b"}, r.Messages[0]) }, fault.Internal},
		"a schema that is none":   {func(r *llm.Request) { r.Schema = json.RawMessage(`{`) }, fault.Internal},
		"a schema that is spoken": {func(r *llm.Request) { r.Schema, r.Heard = numbers, func(string) {} }, fault.Internal},
	} {
		p, m, r := &scripted{answers: []llm.Response{{Text: "x"}}}, new(providertest.Meter), good
		r.Messages = user("a")
		c.change(&r)
		if _, err := remote(t, p, m).Complete(t.Context(), r); fault.KindOf(err) != c.want || err == nil || len(p.asked)+len(m.Calls()) != 0 {
			t.Errorf("%s: got %v after %d calls", name, err, len(p.asked))
		}
	}
	p := &scripted{answers: []llm.Response{{Text: "x"}}}
	if _, err := remote(t, p, new(providertest.Meter)).Complete(t.Context(), llm.Request{MaxTokens: 100, Messages: user(strings.Repeat("abc", 992))}); err != nil {
		t.Errorf("what just fits: %v", err)
	}
}

func TestAnAnswerWithoutTextIsNone(t *testing.T) {
	t.Parallel()
	for says, answer := range map[string]llm.Response{
		"answered without text":                    {Text: " \n", Usage: llm.Usage{TokensIn: 1, TokensOut: 9}},
		"had used up its tokens before it answere": {Truncated: true, Usage: llm.Usage{TokensIn: 1, TokensOut: 9}},
	} {
		m := new(providertest.Meter)
		got, err := remote(t, &scripted{answers: []llm.Response{answer}}, m).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("a")})
		if got != (llm.Response{}) || fault.KindOf(err) != fault.Unavailable || !llm.WasSpent(err) || !strings.Contains(fault.Public(err), "acme-ai, model words-1, "+says) || m.Used()[0].TokensOut != 9 {
			t.Errorf("got %+v, %v, booked %+v", got, err, m.Used())
		}
	}
}

// numbers asks for {"numbers": [1, 2]}.
var numbers = json.RawMessage(`{"type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "integer"}}}, "required": ["numbers"], "additionalProperties": false}`)

const compact = `{"type":"object","properties":{"numbers":{"type":"array","items":{"type":"integer"}}},"required":["numbers"],"additionalProperties":false}`

func TestAnAnswerFollowsItsSchema(t *testing.T) {
	t.Parallel()
	used := llm.Usage{TokensIn: 10, TokensOut: 5}
	for name, c := range map[string]struct {
		says  []string
		want  string // "" = an error
		calls int
	}{
		"at once":                 {[]string{`{"numbers":[1]}`}, `{"numbers":[1]}`, 1},
		"in a fence":              {[]string{"```json\n{\"numbers\":[1]}\n```\n"}, `{"numbers":[1]}`, 1},
		"when it is asked again":  {[]string{`{"numbers":["secret"]}`, ` {"numbers":[1]}`}, `{"numbers":[1]}`, 2},
		"with words around it":    {[]string{`Here you are: {"numbers":[1]}`, `{"numbers":[1]}`}, `{"numbers":[1]}`, 2},
		"not when asked again":    {[]string{`{"numbers":["secret"]}`, `{"numbers":null}`}, "", 2},
		"not for a third time":    {[]string{`secret`, `secret`, `{"numbers":[1]}`}, "", 2},
		"in a fence, without end": {[]string{"```json\n{\"numbers\":[1]}", "```"}, "", 2},
	} {
		p, m := &scripted{}, new(providertest.Meter)
		for _, text := range c.says {
			p.answers = append(p.answers, llm.Response{Text: text, Usage: used})
		}
		got, err := remote(t, p, m).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("count"), Schema: numbers})
		if got.Text != c.want || (err == nil) != (c.want != "") || len(m.Calls()) != c.calls {
			t.Errorf("%s: got %+v, %v after %d calls", name, got, err, len(m.Calls()))
		}
		if err == nil && got.Usage != (llm.Usage{TokensIn: 10 * c.calls, TokensOut: 5 * c.calls}) {
			t.Errorf("%s: told to have used %+v", name, got.Usage)
		}
		if err != nil && (fault.KindOf(err) != fault.Unavailable || !llm.WasSpent(err) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got %v", name, err)
		}
		for _, u := range m.Used() {
			if u != used {
				t.Errorf("%s: booked %+v", name, m.Used())
			}
		}
	}
}

func TestAWrongAnswerIsAskedForAgainWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := &scripted{answers: []llm.Response{{Text: `{"numbers":[1.5]}`}, {Text: `{"numbers":[1]}`}}}
	m := new(providertest.Meter)
	if _, err := remote(t, p, m).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("count"), Schema: numbers}); err != nil {
		t.Fatal(err)
	}
	want := []llm.Message{{"user", "count"}, {"assistant", `{"numbers":[1.5]}`},
		{"user", "This is not what was asked for: numbers[0] is not of type integer. Answer again, with nothing but JSON that follows this schema: " + compact}}
	if !reflect.DeepEqual(p.asked[1].Messages, want) || m.Calls()[1].Most.TokensIn <= m.Calls()[0].Most.TokensIn ||
		m.Calls()[0].Most.TokensIn != 8+2+500+llm.EstimateTokens(string(numbers)) { // what a provider adds of its own is held, too
		t.Errorf("asked %+v\nfor    %+v", p.asked[1].Messages, m.Calls())
	}
	over := fault.New(fault.OverBudget, "nothing left")
	p = &scripted{answers: []llm.Response{{Text: "none"}, {Text: `{"numbers":[1]}`}}}
	m = &providertest.Meter{Refuse: func(call int) error {
		if call == 2 {
			return over
		}
		return nil
	}}
	if _, err := remote(t, p, m).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("count"), Schema: numbers}); !errors.Is(err, over) || len(p.asked) != 1 {
		t.Errorf("got %v after %d requests", err, len(p.asked))
	}
	p = &scripted{answers: []llm.Response{{Text: `{"numbers":[1,`, Truncated: true}, {Text: `{"numbers":[1]}`}}}
	if _, err := remote(t, p, new(providertest.Meter)).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("count"), Schema: numbers}); fault.KindOf(err) != fault.Unavailable || !llm.WasTruncated(err) || llm.WasTruncated(over) || len(p.asked) != 1 {
		t.Errorf("an answer that was too long is asked for again: %v after %d requests", err, len(p.asked))
	}
}

func TestASchemaIsDescribedWhereAServerKnowsNone(t *testing.T) {
	t.Parallel()
	p := &scripted{answers: []llm.Response{{Text: `{"numbers":[1]}`}}}
	r := remote(t, p, new(providertest.Meter), func(s *llm.Spec) { s.Describe = true })
	if _, err := r.Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: []llm.Message{{"system", "Be brief."}, {"user", "count"}}, Schema: numbers}); err != nil {
		t.Fatal(err)
	}
	want := []llm.Request{{Operation: "chat", MaxTokens: 50, Messages: []llm.Message{
		{"system", "Answer with nothing but JSON that follows this schema: " + compact}, {"system", "Be brief."}, {"user", "count"}}}}
	if !reflect.DeepEqual(p.asked, want) {
		t.Errorf("asked %+v", p.asked)
	}
}

func TestErrorsOfAProviderAreHandedOn(t *testing.T) {
	t.Parallel()
	used := llm.Usage{TokensIn: 3}
	refused := llm.Spent(llm.Refused("acme-ai", "safety"))
	m := new(providertest.Meter)
	p := &scripted{answers: []llm.Response{{Text: "half", Usage: used}}, err: refused}
	got, err := remote(t, p, m).Complete(t.Context(), llm.Request{MaxTokens: 50, Messages: user("a")})
	if got != (llm.Response{}) || !llm.WasRefused(err) || fault.KindOf(err) != fault.Invalid || !llm.WasSpent(err) || m.Used()[0] != used {
		t.Errorf("got %+v, %v, booked %+v", got, err, m.Used())
	}
	if llm.WasRefused(fault.New(fault.Invalid, "no")) || llm.WasRefused(nil) {
		t.Error("what nobody refused was refused")
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := remote(t, p, m).Complete(gone, llm.Request{MaxTokens: 50, Messages: user("a")}); !errors.Is(err, context.Canceled) || len(m.Calls()) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestThereIsNoModelWithoutAMeterOrLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec  llm.Spec
		meter llm.Meter
	}{
		"no meter":     {llm.Spec{MaxTokensIn: 1, MaxTokensOut: 1}, nil},
		"no limit in":  {llm.Spec{MaxTokensOut: 1}, new(providertest.Meter)},
		"no limit out": {llm.Spec{MaxTokensIn: 1}, new(providertest.Meter)},
	} {
		if _, err := llm.NewRemote(&scripted{}, c.spec, c.meter); fault.KindOf(err) != fault.Internal || err == nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if name := remote(t, &scripted{}, new(providertest.Meter)).Name(); name != "words-1" {
		t.Errorf("called %q", name)
	}
}

type stalled struct{}

func (stalled) Ask(ctx context.Context, _ llm.Request) (llm.Response, error) {
	<-ctx.Done()
	return llm.Response{}, ctx.Err()
}

func TestEveryRequestHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := remote(t, stalled{}, new(providertest.Meter), func(s *llm.Spec) { s.Timeout = 3 * time.Second })
		if _, err := r.Complete(t.Context(), llm.Request{MaxTokens: 1, Messages: user("a")}); fault.KindOf(err) != fault.Timeout || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

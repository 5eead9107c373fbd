package llm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Provider completes prompts elsewhere, one request a call. Adapters are Providers, and Remote makes Models of them.
type Provider interface {
	// Ask is as Model's Complete, of a request that Remote has prepared: texts are not empty and valid UTF-8, messages of
	// the system come first and the last one is the user's, and what is missing of the usage is zero. Its errors are
	// classified and name the provider; one that is charged for all the same is marked by Spent, and the Usage beside it
	// counts, where it is known.
	Ask(ctx context.Context, r Request) (Response, error)
}

// Spec says what is asked of a provider. Provider, Model, MaxTokensIn and MaxTokensOut are required.
type Spec struct {
	Provider     string // who is asked, in errors and on bills
	Model        string // as the provider names it
	MaxTokensIn  int    // of a request, as EstimateTokens counts
	MaxTokensOut int    // that may be asked for
	Describe     bool   // the schema of an answer is told in the prompt, not by the provider's own way: some servers have none
	Timeout      time.Duration
	Count        func(text string) int // of tokens, where a provider does not say what it consumed; nil = EstimateTokens
}

// Remote is a Model over a Provider. It asks through a meter, no more than Spec allows, and believes nothing: an answer
// without text, and one that does not follow the schema when it has been asked for a second time, are Unavailable errors
// that name the provider.
type Remote struct {
	provider Provider
	spec     Spec
	meter    Meter
}

var _ Model = (*Remote)(nil)

// NewRemote returns the model. There is none without a meter.
func NewRemote(p Provider, s Spec, meter Meter) (*Remote, error) {
	if meter == nil {
		return nil, fault.New(fault.Internal, "language model provider %s has no meter before it", s.Provider)
	}
	if s.MaxTokensIn < 1 || s.MaxTokensOut < 1 {
		return nil, fault.New(fault.Internal, "language model provider %s is asked for %d tokens about %d", s.Provider, s.MaxTokensOut, s.MaxTokensIn)
	}
	if s.Count == nil {
		s.Count = EstimateTokens
	}
	return &Remote{provider: p, spec: s, meter: meter}, nil
}

// Name is the provider's of the model.
func (r *Remote) Name() string { return r.spec.Model }

// Complete implements Model. A request of another form than Request says is Internal, one of too many tokens TooLarge;
// neither is sent.
func (r *Remote) Complete(ctx context.Context, q Request) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	schema, err := r.prepare(&q)
	if err != nil {
		return Response{}, err
	}
	first, used, err := r.ask(ctx, q, schema)
	var wrong *wrongAnswer
	if !errors.As(err, &wrong) {
		return first, err
	}
	again := q
	again.Messages = append(q.Messages[:len(q.Messages):len(q.Messages)],
		Message{"assistant", cmp.Or(strings.TrimSpace(wrong.text), nothing)},
		Message{"user", fmt.Sprintf("This is not what was asked for: %s. Answer again, with nothing but JSON that follows this schema: %s", wrong.why, schema.text)})
	second, more, err := r.ask(ctx, again, schema)
	second.Usage = used.Plus(more)
	if err != nil {
		return Response{}, err
	}
	return second, nil
}

const (
	nothing = "."
	// What a provider's own form of a message takes of tokens, more or less.
	messageTokens = 8
	schemaTokens  = 500 // that a provider may add to the prompt to have a schema followed
	maxName       = 200 // bytes of a model's name that are believed
)

// prepare brings a request to the form it is sent in.
func (r *Remote) prepare(q *Request) (*schema, error) {
	var follow *schema
	if q.Schema != nil {
		s, err := parseSchema(q.Schema)
		if err != nil {
			return nil, err
		}
		follow = s
	}
	q.Operation = cmp.Or(q.Operation, "chat")
	switch {
	case q.MaxTokens < 1 || q.MaxTokens > r.spec.MaxTokensOut:
		return nil, fault.New(fault.Internal, "%d tokens were to be asked of a language model; 1 to %d may be", q.MaxTokens, r.spec.MaxTokensOut)
	case q.Temperature != nil && !(*q.Temperature >= 0 && *q.Temperature <= 2):
		return nil, fault.New(fault.Internal, "a language model was to be asked at a temperature outside 0 to 2")
	case q.Schema != nil && q.Heard != nil:
		return nil, fault.New(fault.Internal, "an answer that follows a schema cannot be heard before it has been checked")
	}
	if r.spec.Describe && follow != nil {
		q.Schema = nil
		told := Message{"system", "Answer with nothing but JSON that follows this schema: " + follow.text}
		q.Messages = append([]Message{told}, q.Messages...)
	}
	prepared, asked := make([]Message, len(q.Messages)), false
	for i, m := range q.Messages {
		known := m.Role == "user" || m.Role == "assistant" || m.Role == "system" && !asked
		asked = asked || m.Role != "system"
		if m.Content = Prepared(m.Content, 0); !known || strings.TrimSpace(m.Content) == "" {
			return nil, fault.New(fault.Internal, "message %d to a language model is empty, or not in its place", i)
		}
		prepared[i] = m
	}
	if n := len(prepared); n == 0 || prepared[n-1].Role != "user" {
		return nil, fault.New(fault.Internal, "the last message to a language model must be the user's")
	}
	q.Messages = prepared
	if in := r.tokens(q, EstimateTokens); in > r.spec.MaxTokensIn {
		return nil, fault.New(fault.TooLarge, "the request has about %d tokens, and model %s of %s is sent %d at most", in, r.spec.Model, r.spec.Provider, r.spec.MaxTokensIn)
	}
	return follow, nil
}

// tokens are those of a request.
func (r *Remote) tokens(q *Request, count func(string) int) int {
	sum := count(string(q.Schema))
	for _, m := range q.Messages {
		sum += messageTokens + count(m.Content)
	}
	return sum
}

// ask sends a request once, and tells what it consumed beside an error too.
func (r *Remote) ask(ctx context.Context, q Request, follow *schema) (answer Response, used Usage, err error) {
	call := Call{
		Operation: q.Operation, Provider: r.spec.Provider, Model: r.spec.Model,
		Most: Usage{TokensIn: r.tokens(&q, EstimateTokens), TokensOut: q.MaxTokens, Estimated: true},
	}
	if q.Schema != nil {
		call.Most.TokensIn += schemaTokens
	}
	answer, err = Ask(ctx, r.meter, r.spec.Timeout, call, func(ctx context.Context) (Response, Usage, error) {
		got, err := r.provider.Ask(ctx, q)
		if err == nil {
			got.Text = Prepared(got.Text, 0)
			if len(got.Model) > maxName {
				got.Model = ""
			}
			got.Model = cmp.Or(got.Model, r.spec.Model)
			r.count(&q, &got)
		}
		used = got.Usage
		return got, got.Usage, err
	}, func(got Response) error { return r.check(got, follow) })
	if err == nil && follow != nil {
		answer.Text = unfenced(answer.Text)
	}
	return answer, used, err
}

// count fills in what the provider did not say of an answer's usage. Thoughts nobody sees cannot be counted.
func (r *Remote) count(q *Request, got *Response) {
	u := &got.Usage
	if u.TokensIn <= 0 {
		u.TokensIn, u.Estimated = r.tokens(q, r.spec.Count), true
	}
	if u.TokensOut <= 0 {
		u.TokensOut, u.Estimated = max(r.spec.Count(got.Text), 1), true
	}
	u.CachedTokens, u.ReasoningTokens = min(max(u.CachedTokens, 0), u.TokensIn), min(max(u.ReasoningTokens, 0), u.TokensOut)
}

// wrongAnswer is an answer that does not follow the schema, and may when it is asked for again.
type wrongAnswer struct {
	fault     *fault.Error
	text, why string
}

func (w *wrongAnswer) Error() string { return w.fault.Error() }
func (w *wrongAnswer) Unwrap() error { return w.fault }

func (r *Remote) check(got Response, follow *schema) error {
	switch {
	case strings.TrimSpace(got.Text) == "" && got.Truncated:
		return &truncatedError{r.bad("had used up its tokens before it answered")}
	case strings.TrimSpace(got.Text) == "":
		return r.bad("answered without text")
	case follow == nil:
		return nil
	}
	err := follow.check(unfenced(got.Text))
	switch {
	case err == nil:
		return nil
	case got.Truncated:
		return &truncatedError{r.bad("had used up its tokens before its JSON ended")}
	}
	return &wrongAnswer{r.bad("did not answer by the schema: %s", err), got.Text, err.Error()}
}

func (r *Remote) bad(format string, args ...any) *fault.Error {
	return fault.New(fault.Unavailable, "language model provider %s, model %s, %s", r.spec.Provider, r.spec.Model, fmt.Sprintf(format, args...))
}

// unfenced is JSON without the fence that models trained on Markdown put around it.
func unfenced(text string) string {
	text = strings.TrimSpace(text)
	inner, fenced := strings.CutPrefix(text, "```")
	if !fenced {
		return text
	}
	inner = strings.TrimPrefix(inner, "json")
	inner, fenced = strings.CutSuffix(strings.TrimSpace(inner), "```")
	if inner = strings.TrimSpace(inner); fenced && json.Valid([]byte(inner)) {
		return inner
	}
	return text
}

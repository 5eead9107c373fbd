package embed

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// Provider makes vectors elsewhere, one request a call. Its answer is checked by Remote; it need not be of length 1.
type Provider interface {
	// Embed returns one vector per text, in the order of texts, and what the request consumed, zero where the provider
	// does not say. Texts are not empty, valid UTF-8 and no more than a request may hold. It must honour ctx. Its errors
	// are classified and name the provider; one that is charged for all the same is marked by llm.Spent.
	Embed(ctx context.Context, kind Kind, texts []string) ([][]float32, llm.Usage, error)
}

// Spec says what is asked of a provider. Provider, Model, Dimensions and MaxTexts are required.
type Spec struct {
	Provider   string // who is asked, in errors and on bills
	Model      string // as the provider names it
	Called     string // what vectors of it are told apart by; "" = as ID computes it
	Dimensions int    // of the vectors that are given out
	Native     int    // of those the provider sends, which are cut to Dimensions where that is less; 0 = Dimensions
	Prefixes          // written before each text

	MaxTexts      int           // of one request
	MaxTokens     int           // of one request, as llm.EstimateTokens counts; 0 = any number
	MaxTextTokens int           // of one text, whose rest has no say; 0 = any number
	Timeout       time.Duration // of one request with its repetitions; 0 = the context's
}

// Remote is an Embedder over a provider. It splits what is asked into requests the provider takes and puts the answers
// together in order, asks through a meter, and gives out vectors of length 1 or an error that names the provider: fewer
// vectors than texts, another dimension, NaN, infinities and zero vectors are Unavailable, and none of the vectors count.
type Remote struct {
	provider Provider
	spec     Spec
	id       string
	meter    llm.Meter
	saver    llm.Saver // the meter, where it wants to know; nil: it doesn't

	// What was estimated and what the provider counted, of the requests for which it said so.
	estimated, counted atomic.Int64
}

var (
	_ Embedder = (*Remote)(nil)
	_ spared   = (*Remote)(nil)
)

// NewRemote returns the embedder. There is none without a meter.
func NewRemote(p Provider, s Spec, meter llm.Meter) (*Remote, error) {
	if meter == nil {
		return nil, fault.New(fault.Internal, "embedding provider %s has no meter before it", s.Provider)
	}
	if s.Dimensions < 1 || s.MaxTexts < 1 || s.Native != 0 && s.Native < s.Dimensions {
		return nil, fault.New(fault.Internal, "embedding provider %s is asked for %d texts and %d of %d dimensions", s.Provider, s.MaxTexts, s.Dimensions, s.Native)
	}
	if s.Native == 0 {
		s.Native = s.Dimensions
	}
	saver, _ := meter.(llm.Saver)
	return &Remote{provider: p, spec: s, id: cmp.Or(s.Called, s.ID()), meter: meter, saver: saver}, nil
}

// Model is the provider's name of the model, followed by what makes its vectors others: fewer dimensions than the model
// is known for, and prefixes other than those it is known for.
func (r *Remote) Model() string { return r.id }

// Dimensions implements Embedder.
func (r *Remote) Dimensions() int { return r.spec.Dimensions }

// EmbedDocuments implements Embedder.
func (r *Remote) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	return r.embed(ctx, Document, texts)
}

// EmbedQuery implements Embedder.
func (r *Remote) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := r.embed(ctx, Query, []string{text})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

func (r *Remote) embed(ctx context.Context, kind Kind, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	vectors := make([][]float32, 0, len(texts))
	var batch []string
	var dry error
	tokens := 0
	flush := func() error {
		more, err := r.ask(ctx, kind, batch)
		if llm.IsDryRun(err) {
			dry, err = err, nil // go on: all requests are to be priced
		}
		vectors, batch, tokens = append(vectors, more...), nil, 0
		return err
	}
	for _, text := range texts {
		text = r.prepared(kind, text)
		more := llm.EstimateTokens(text)
		if len(batch) == r.spec.MaxTexts || len(batch) > 0 && r.spec.MaxTokens > 0 && tokens+more > r.spec.MaxTokens {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		batch, tokens = append(batch, text), tokens+more
	}
	if len(batch) > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	if dry != nil {
		return nil, dry
	}
	return vectors, nil
}

// nothing stands for a text in which there is nothing: providers refuse empty ones.
const nothing = "."

// prepared is a text as it is sent, with its prefix, and at most as long as the model reads.
func (r *Remote) prepared(kind Kind, text string) string {
	if strings.TrimSpace(text) == "" {
		text = nothing
	}
	return llm.Prepared(r.spec.before(kind)+text, r.spec.MaxTextTokens)
}

// ask sends one request, and smaller ones where the provider refuses it for its size. No vocabulary makes more tokens of a
// text than it has bytes, so a text of as many bytes as the model takes tokens is the least that can be tried.
func (r *Remote) ask(ctx context.Context, kind Kind, texts []string) ([][]float32, error) {
	vectors, err := r.request(ctx, kind, texts)
	switch refused := fault.KindOf(err); {
	case refused == fault.TooLarge && len(texts) > 1:
		half := len(texts) / 2
		first, err := r.ask(ctx, kind, texts[:half])
		if err != nil {
			return nil, err
		}
		second, err := r.ask(ctx, kind, texts[half:])
		return append(first, second...), err
	case refused == fault.TooLarge, refused == fault.Invalid:
		if shorter, cut := r.cutToBytes(texts); cut {
			return r.request(ctx, kind, shorter)
		}
	}
	return vectors, err
}

func (r *Remote) cutToBytes(texts []string) (shorter []string, cut bool) {
	limit := r.spec.MaxTextTokens
	shorter = make([]string, len(texts))
	for i, text := range texts {
		if shorter[i] = text; limit > 0 && len(text) > limit {
			shorter[i], cut = strings.ToValidUTF8(text[:limit], ""), true
		}
	}
	return shorter, cut
}

// request asks the provider once, through the meter.
func (r *Remote) request(ctx context.Context, kind Kind, texts []string) ([][]float32, error) {
	call := r.call(texts)
	return llm.Ask(ctx, r.meter, r.spec.Timeout, call, func(ctx context.Context) ([][]float32, llm.Usage, error) {
		vectors, used, err := r.provider.Embed(ctx, kind, texts)
		if used.TokensIn > 0 && !used.Estimated {
			r.estimated.Add(int64(call.Most.TokensIn))
			r.counted.Add(int64(used.TokensIn))
		}
		return vectors, used, err
	}, func(vectors [][]float32) error { return r.finish(vectors, len(texts)) })
}

// call is the question for the texts, as they are sent.
func (r *Remote) call(texts []string) llm.Call {
	call := llm.Call{Operation: "embeddings", Provider: r.spec.Provider, Model: r.spec.Model, Most: llm.Usage{Estimated: true}}
	for _, text := range texts {
		call.Most.TokensIn += llm.EstimateTokens(text)
	}
	return call
}

// Spared tells the meter what was not asked because a cache had the vectors. What is estimated on the high side for a
// reservation is brought down here to what the provider has been counting.
func (r *Remote) Spared(ctx context.Context, kind Kind, texts []string, calls int) {
	if r.saver == nil {
		return
	}
	sent := make([]string, len(texts))
	for i, text := range texts {
		sent[i] = r.prepared(kind, text)
	}
	call := r.call(sent)
	if estimated, counted := r.estimated.Load(), r.counted.Load(); estimated > 0 && counted < estimated {
		call.Most.TokensIn = int(math.Ceil(float64(call.Most.TokensIn) * float64(counted) / float64(estimated)))
	}
	r.saver.Saved(ctx, call, calls)
}

// finish checks an answer and brings its vectors to the dimension and the length they shall have.
func (r *Remote) finish(vectors [][]float32, texts int) error {
	if len(vectors) != texts {
		return r.bad("returned %d vectors for %d texts", len(vectors), texts)
	}
	for i, v := range vectors {
		if len(v) != r.spec.Native && len(v) != r.spec.Dimensions {
			return r.bad("returned %d dimensions for text %d, want %d", len(v), i, r.spec.Native)
		}
		if err := Check(v[:r.spec.Dimensions], r.spec.Dimensions); err != nil {
			return r.bad("returned a vector that is none for text %d: %s", i, fault.Public(err))
		}
		vectors[i] = Shorten(v, r.spec.Dimensions)
	}
	return nil
}

func (r *Remote) bad(format string, args ...any) error {
	return fault.New(fault.Unavailable, "embedding provider %s, model %s, %s", r.spec.Provider, r.spec.Model, fmt.Sprintf(format, args...))
}

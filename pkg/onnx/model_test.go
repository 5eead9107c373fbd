package onnx_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/onnx"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/rerank/reranktest"
)

func TestAFolderSaysHowItsModelIsUsed(t *testing.T) {
	t.Parallel()
	type used struct {
		Dimensions, MaxTokens int
		Pooling               onnx.Pooling
		embed.Prefixes
	}
	e5 := embed.Prefixes{Query: "query: ", Document: "passage: "}
	unlimited := func(more map[string]string) map[string]string {
		files := changed(t, `"truncation":{"direction":"Right","max_length":512,"strategy":"LongestFirst","stride":0}`, `"truncation":null`)
		for name, text := range more {
			files[name] = text
		}
		return files
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  used
	}{
		{"acme", nil, used{0, 512, onnx.Mean, embed.Prefixes{}}},
		{"acme", map[string]string{"config.json": `{"hidden_size":384,"max_position_embeddings":128}`}, used{384, 128, onnx.Mean, embed.Prefixes{}}},
		{"acme", map[string]string{"config.json": `{"n_embd":768}`}, used{768, 512, onnx.Mean, embed.Prefixes{}}},
		{"all-MiniLM-L6-v2", unlimited(nil), used{384, 256, onnx.Mean, embed.Prefixes{}}},
		{"bge-small-en-v1.5-q", unlimited(nil), used{384, 512, onnx.First, embed.Prefixes{Query: "Represent this sentence for searching relevant passages: "}}},
		{"e5-small-v2-q", nil, used{384, 512, onnx.Mean, e5}},
		{"nomic-embed-text-v1.5", unlimited(nil), used{768, 8192, onnx.Mean, embed.Prefixes{Query: "search_query: ", Document: "search_document: "}}},
		{"e5-small-v2", map[string]string{"sentence_bert_config.json": `{"max_seq_length": 64, "do_lower_case": false}`}, used{384, 64, onnx.Mean, e5}},
		{"e5-small-v2", map[string]string{"config_sentence_transformers.json": `{"prompts":{"query":"ask: ","document":""},"default_prompt_name":null}`}, used{384, 512, onnx.Mean, embed.Prefixes{Query: "ask: "}}},
		{"e5-small-v2", map[string]string{"config_sentence_transformers.json": `{"prompts":{"query":"","document":""}}`}, used{384, 512, onnx.Mean, e5}},
		{"acme", map[string]string{"config_sentence_transformers.json": `{"prompts":{"all":"text: "},"default_prompt_name":"all"}`}, used{0, 512, onnx.Mean, embed.Prefixes{Query: "text: ", Document: "text: "}}},
		{"acme", map[string]string{"1_Pooling/config.json": `{"word_embedding_dimension":32,"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}`}, used{32, 512, onnx.First, embed.Prefixes{}}},
		{"bge-small-en", map[string]string{"1_Pooling/config.json": `{"pooling_mode_mean_tokens":true}`}, used{384, 512, onnx.Mean, embed.Prefixes{Query: "Represent this sentence for searching relevant passages: "}}},
		{"acme", map[string]string{
			"modules.json":     `[{"path":"","type":"sentence_transformers.models.Transformer"},{"path":"p","type":"sentence_transformers.models.Pooling"},{"path":"n","type":"sentence_transformers.models.Normalize"}]`,
			"p/config.json":    `{"word_embedding_dimension":3,"pooling_mode":"max"}`,
			"model.onnx":       "",
			"onnx/model.onnx":  "a graph elsewhere",
			"2_Dense/whatever": "nobody names it",
		}, used{3, 512, onnx.Max, embed.Prefixes{}}},
	} {
		m := read(t, folder(t, c.name, c.files))
		if got := (used{m.Dimensions, m.MaxTokens, m.Pooling, m.Prefixes}); got != c.want {
			t.Errorf("%s %v:\ngot  %+v\nwant %+v", c.name, c.files, got, c.want)
		}
	}
}

func TestAFolderThatCannotBeUsedIsRefusedByItsFile(t *testing.T) {
	t.Parallel()
	for want, files := range map[string]map[string]string{
		"model.onnx, onnx/model.onnx, model_quantized.onnx, onnx/model_quantized.onnx is not there, none of them": {"model.onnx": ""},
		"tokenizer.json is not there":                                                                                                 {"tokenizer.json": ""},
		"config.json cannot be read: unexpected end of JSON input":                                                                    {"config.json": "{"},
		"config.json is larger than 1048576 bytes":                                                                                    {"config.json": "{" + strings.Repeat(" ", 1<<20) + "}"},
		"modules.json has a module Dense, which this build does not compute":                                                          {"modules.json": `[{"path":"2_Dense","type":"sentence_transformers.models.Dense"}]`},
		"modules.json has the pooling outside the folder":                                                                             {"modules.json": `[{"path":"../x","type":"sentence_transformers.models.Pooling"}]`},
		"1_Pooling/config.json leaves prompts out of the vector, which this build does not":                                           {"1_Pooling/config.json": `{"pooling_mode_mean_tokens":true,"include_prompt":false}`},
		"sentence_bert_config.json lets the model read 3 tokens, less than the 4 that make sense":                                     {"sentence_bert_config.json": `{"max_seq_length":3}`},
		"1_Pooling/config.json pools otherwise than by the mean, the first token or the largest values, which is all this build does": {"1_Pooling/config.json": `{"pooling_mode_lasttoken":true}`},
	} {
		dir := folder(t, "m", files)
		_, err := onnx.Read(dir)
		if got := "ONNX model " + dir + ": " + want; fault.KindOf(err) != fault.Invalid || fault.Public(err) != got {
			t.Errorf("got  %v\nwant %s", err, got)
		}
	}
}

// counted is a graph whose vector of a token is its id's, so that texts are near when they share tokens.
func counted() *onnx.Fake {
	return &onnx.Fake{Answer: func(ids, _ []int64) ([]int64, []float32) {
		values := make([]float32, 0, len(ids)*dimensions)
		for _, id := range ids {
			state := uint64(id) + 1
			for range dimensions {
				state = state*6364136223846793005 + 1442695040888963407
				values = append(values, float32(int32(state>>32))/math.MaxInt32)
			}
		}
		return []int64{int64(len(ids)), dimensions}, values
	}}
}

const dimensions = 64

var sized = map[string]string{"config.json": `{"hidden_size":64}`}

func TestEmbedderContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "onnx, its graph replaced", func(t *testing.T) embed.Embedder {
		return embedder(t, counted(), "counted", nil)
	})
}

func embedder(t *testing.T, f *onnx.Fake, name string, more map[string]string) *onnx.Embedder {
	t.Helper()
	files := map[string]string{"config.json": sized["config.json"]}
	for name, text := range more {
		files[name] = text
	}
	e, err := f.Embedder(read(t, folder(t, name, files)), 0, onnx.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// overlapping is a cross-encoder that counts the question's tokens that stand in the text.
func overlapping() *onnx.Fake {
	return &onnx.Fake{Answer: func(ids, kinds []int64) ([]int64, []float32) {
		hits, asked := 0, 0
		for i, id := range ids {
			if kinds[i] == 0 && id > 999 {
				asked++
				if at := slices.Index(kinds, 1); at >= 0 && slices.Contains(ids[at:], id) {
					hits++
				}
			}
		}
		return []int64{1}, []float32{8*float32(hits)/float32(asked+1) - 4}
	}}
}

func TestRerankerContract(t *testing.T) {
	t.Parallel()
	reranktest.Run(t, "onnx, its graph replaced", func(t *testing.T) rerank.Reranker {
		r, err := overlapping().Reranker(read(t, folder(t, "overlap", nil)), onnx.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

func TestAnotherFileIsAnotherModel(t *testing.T) {
	t.Parallel()
	id := func(name string, files map[string]string, dimensions int, change func(*onnx.Model)) string {
		m := read(t, folder(t, name, files))
		if change != nil {
			change(m)
		}
		e, err := counted().Embedder(m, dimensions, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e.Model()
	}
	first := id("acme", sized, 0, nil)
	if !regexp.MustCompile(`^acme-[0-9a-f]{8}$`).MatchString(first) || id("acme", sized, 64, nil) != first {
		t.Errorf("called %s, then %s", first, id("acme", sized, 64, nil))
	}
	with := func(name, text string) map[string]string {
		return map[string]string{"config.json": sized["config.json"], name: text}
	}
	all := []string{first,
		id("acme2", sized, 0, nil), id("acme", with("model.onnx", "a grapg"), 0, nil), id("acme", with("model.onnx_data", "its weights"), 0, nil),
		id("acme", with("tokenizer.json", changed(t, `"strip_accents":null`, `"strip_accents":false`)["tokenizer.json"]), 0, nil),
		id("acme", with("1_Pooling/config.json", `{"pooling_mode":"max"}`), 0, nil), id("acme", with("sentence_bert_config.json", `{"max_seq_length":9}`), 0, nil),
		id("acme", sized, 0, func(m *onnx.Model) { m.Query = "ask: " }), id("acme", sized, 0, func(m *onnx.Model) { m.Document = "ask: " }), id("acme", sized, 32, nil),
	}
	if want := first + "@32"; all[len(all)-1] != want {
		t.Errorf("shortened to 32 it is called %s, want %s", all[len(all)-1], want)
	}
	slices.Sort(all)
	if different := slices.Compact(slices.Clone(all)); len(different) != len(all) {
		t.Errorf("some of different models are called the same: %v", all)
	}
}

// places answers with the number of a token's place, so that what pooling does can be read.
func places() *onnx.Fake {
	return &onnx.Fake{Answer: func(ids, _ []int64) ([]int64, []float32) {
		var values []float32
		for at := range ids {
			values = append(values, float32(at+1), float32(len(ids)-at))
		}
		return []int64{int64(len(ids)), 2}, values
	}}
}

func TestTokensArePooledAsTheFolderSays(t *testing.T) {
	t.Parallel()
	for pooling, want := range map[string][2]float64{"mean": {3.5, 3.5}, "cls": {1, 6}, "max": {6, 6}} {
		e := embedder(t, places(), "acme", map[string]string{"config.json": `{"hidden_size":2}`, "1_Pooling/config.json": `{"pooling_mode":"` + pooling + `"}`})
		vectors, err := e.EmbedDocuments(t.Context(), []string{"the lazy dog jumps", "the lazy dog jumps over the quick fox"}) // the second makes room that the first leaves empty
		if err != nil {
			t.Fatal(err)
		}
		length := math.Hypot(want[0], want[1])
		if got := vectors[0]; math.Abs(float64(got[0])-want[0]/length) > 1e-6 || math.Abs(float64(got[1])-want[1]/length) > 1e-6 {
			t.Errorf("%s: got %v, want %v of length 1", pooling, got, want)
		}
	}
	texts := &onnx.Fake{Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{2}, []float32{3, 4} }}
	if v, err := embedder(t, texts, "acme", map[string]string{"config.json": `{"hidden_size":2}`}).EmbedQuery(t.Context(), "fox"); err != nil || !slices.Equal(v, []float32{.6, .8}) {
		t.Errorf("a graph that pools itself: got %v, %v", v, err)
	}
}

func TestPrefixesStandBeforeTexts(t *testing.T) {
	t.Parallel()
	var asked [][]int64
	f := &onnx.Fake{Answer: func(ids, _ []int64) ([]int64, []float32) {
		asked = append(asked, slices.Clone(ids))
		return []int64{2}, []float32{1, 0}
	}}
	e := embedder(t, f, "acme", map[string]string{"config.json": `{"hidden_size":2}`, "config_sentence_transformers.json": `{"prompts":{"query":"who ","document":"the "}}`})
	if _, err := e.EmbedQuery(t.Context(), "fox"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.EmbedDocuments(t.Context(), []string{"fox"}); err != nil {
		t.Fatal(err)
	}
	if want := [][]int64{{101, 2040, 4419, 102}, {101, 1996, 4419, 102}}; !slices.EqualFunc(asked, want, slices.Equal) {
		t.Errorf("read %v, want %v", asked, want)
	}
}

func TestTextsOfOneLengthGoTogether(t *testing.T) {
	t.Parallel()
	var texts []string
	for i := range 40 {
		texts = append(texts, strings.Repeat("fox ", 1+i%2*250))
	}
	texts = append(texts, "the lazy dog")
	for i := range texts {
		texts[i] += strings.Repeat(" dog", i/2%20) // no two of a kind are alone
	}
	f := counted()
	if _, err := embedder(t, f, "counted", nil).EmbedDocuments(t.Context(), texts); err != nil {
		t.Fatal(err)
	}
	rows, empty := 0, 0
	for _, b := range f.Batches {
		rows, empty = rows+b.Rows, empty+b.Empty
		if b.Rows > 32 || b.Rows*b.Columns > 1024 {
			t.Errorf("a batch has %d rows of %d", b.Rows, b.Columns)
		}
	}
	if rows != len(texts) || len(f.Batches) >= rows || empty > 1000 {
		t.Errorf("%d texts went as %d rows in %d batches, with %d places empty", len(texts), rows, len(f.Batches), empty)
	}
	alone := counted()
	quantised := map[string]string{"model.onnx": strings.Repeat("x", 1<<20-9) + "DynamicQuantizeLinear" + strings.Repeat("x", 99)}
	if _, err := embedder(t, alone, "counted", quantised).EmbedDocuments(t.Context(), texts); err != nil || len(alone.Batches) != len(texts) {
		t.Errorf("a model that scales by all it is given was given %d batches for %d texts, %v", len(alone.Batches), len(texts), err)
	}
}

func TestWhatGoesTogetherDoesNotDependOnTheOrderOfTexts(t *testing.T) {
	t.Parallel()
	texts := strings.Fields("the quick brown fox jumps over lazy dog anna moved to lisbon where did she go when may who")
	given := func() (rows [][]int64) {
		f := counted()
		answer := f.Answer
		f.Answer = func(ids, kinds []int64) ([]int64, []float32) {
			rows = append(rows, slices.Clone(ids))
			return answer(ids, kinds)
		}
		if _, err := embedder(t, f, "counted", nil).EmbedDocuments(t.Context(), texts); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	there := given()
	slices.Reverse(texts)
	if back := given(); !slices.EqualFunc(there, back, slices.Equal) {
		t.Errorf("was given %v, and %v in the reverse order", there, back)
	}
}

func TestAModelIsOpenedWhenFirstAskedAndClosedOnce(t *testing.T) {
	t.Parallel()
	f := counted()
	f.Broken = errors.New("no such library")
	e := embedder(t, f, "counted", nil)
	if _, err := e.EmbedQuery(t.Context(), "fox"); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, f.Broken) || strings.Contains(fault.Public(err), "library") {
		t.Errorf("got %v", err)
	}
	f.Broken = nil
	for range 3 {
		if _, err := e.EmbedQuery(t.Context(), "fox"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.EmbedQuery(t.Context(), "fox"); fault.KindOf(err) != fault.Unavailable || f.Opened != 1 || f.Closed != 1 {
		t.Errorf("opened %d times and closed %d times, then %v", f.Opened, f.Closed, err)
	}
	if never := embedder(t, f, "counted", nil); never.Close() != nil || f.Closed != 1 {
		t.Error("one that was never asked was closed")
	}
}

func TestWhoGoesAwayIsNotComputedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := counted()
	f.During = func(context.Context) error {
		cancel()
		return errors.New("was told to stop")
	}
	texts := slices.Repeat([]string{"the quick brown fox"}, 100)
	if _, err := embedder(t, f, "counted", nil).EmbedDocuments(ctx, texts); !errors.Is(err, context.Canceled) || len(f.Batches) != 1 {
		t.Errorf("%d batches, then %v", len(f.Batches), err)
	}
}

func TestSoManyBatchesAreComputedAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		f := counted()
		f.During = func(context.Context) error {
			<-leave
			return nil
		}
		e := embedder(t, f, "counted", nil) // one thread
		ask := func(ctx context.Context) <-chan error {
			answered := make(chan error, 1)
			go func() {
				_, err := e.EmbedQuery(ctx, "fox")
				answered <- err
			}()
			synctest.Wait()
			return answered
		}
		first := ask(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		second, third := ask(ctx), ask(t.Context())
		if len(f.Batches) != 1 {
			t.Errorf("%d batches are computed by one thread", len(f.Batches))
		}
		cancel()
		synctest.Wait()
		select {
		case err := <-second:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("who went away while waiting got %v", err)
			}
		default:
			t.Error("who went away still waits")
		}
		close(leave)
		if err := errors.Join(<-first, <-third); err != nil || len(f.Batches) != 2 {
			t.Errorf("got %v after %d batches", err, len(f.Batches))
		}
	})
}

func TestASearchIsRerankedByAllThreads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan error)
		f := overlapping()
		f.During = func(ctx context.Context) error {
			select {
			case err := <-leave:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		m := read(t, folder(t, "overlap", map[string]string{"model.onnx": "DynamicQuantizeLinear"}))
		r, err := f.Reranker(m, onnx.Options{Threads: 3})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() <-chan error {
			answered := make(chan error, 1)
			go func() {
				_, err := r.Rerank(t.Context(), "fox", strings.Fields("the quick brown fox jumps over lazy dog"))
				answered <- err
			}()
			synctest.Wait()
			return answered
		}
		answered := ask()
		if len(f.Batches) != 3 {
			t.Errorf("%d batches are computed by three threads", len(f.Batches))
		}
		for range 8 {
			leave <- nil
		}
		if err := <-answered; err != nil || len(f.Batches) != 8 {
			t.Errorf("got %v after %d batches", err, len(f.Batches))
		}
		answered = ask()
		leave <- errors.New("out of memory")
		if err := <-answered; fault.KindOf(err) != fault.Unavailable || len(f.Batches) > 8+3 {
			t.Errorf("got %v after %d batches, of which the first failed", err, len(f.Batches)-8)
		}
	})
}

func TestAGraphThatAnswersNonsenseIsUnavailable(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for name, f := range map[string]*onnx.Fake{
		"fails":                   {Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{2}, []float32{1, 0} }, Fail: errors.New("out of memory")},
		"other dimensions":        {Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{3}, []float32{1, 0, 0} }},
		"no numbers":              {Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{2}, []float32{nan, 0} }},
		"fewer values":            {Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{2}, []float32{1} }},
		"too few dimensions":      {Answer: func([]int64, []int64) ([]int64, []float32) { return nil, []float32{1} }},
		"too many dimensions":     {Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{1, 1, 2}, []float32{1, 0} }},
		"vectors of fewer tokens": {Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{0, 2}, nil }},
	} {
		e := embedder(t, f, "acme", map[string]string{"config.json": `{"hidden_size":2}`})
		if v, err := e.EmbedDocuments(t.Context(), []string{"fox"}); fault.KindOf(err) != fault.Unavailable || v != nil || !strings.Contains(err.Error(), e.Model()) {
			t.Errorf("%s: got %v, %v", name, v, err)
		}
	}
	zero := &onnx.Fake{Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{2}, []float32{0, 0} }}
	if v, err := embedder(t, zero, "acme", map[string]string{"config.json": `{"hidden_size":2}`}).EmbedQuery(t.Context(), "fox"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a vector of zeros: got %v, %v", v, err)
	}
}

func TestDimensionsAreTheModelsOrFewer(t *testing.T) {
	t.Parallel()
	m := func(files map[string]string) *onnx.Model { return read(t, folder(t, "acme", files)) }
	e, err := counted().Embedder(m(sized), 8, onnx.Options{})
	if err != nil || e.Dimensions() != 8 {
		t.Fatal(err)
	}
	whole, err := embedder(t, counted(), "acme", nil).EmbedQuery(t.Context(), "fox")
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }
	if v, err := e.EmbedQuery(t.Context(), "fox"); err != nil || !slices.EqualFunc(v, embed.Shorten(whole, 8), near) {
		t.Errorf("got %v, %v", v, err)
	}
	for dimensions, files := range map[int]map[string]string{65: sized, 0: nil} {
		if _, err := counted().Embedder(m(files), dimensions, onnx.Options{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d of %v: got %v", dimensions, files, err)
		}
	}
	if e, err := counted().Embedder(m(nil), 64, onnx.Options{}); err != nil || e.Dimensions() != 64 {
		t.Errorf("a model no file says the dimensions of: %v", err)
	}
}

func TestScoresAreLogisticOfWhatTheModelSays(t *testing.T) {
	t.Parallel()
	ask := func(labels string, values ...float32) ([]float64, error) {
		f := &onnx.Fake{Answer: func([]int64, []int64) ([]int64, []float32) { return []int64{int64(len(values))}, values }}
		r, err := f.Reranker(read(t, folder(t, "cross", map[string]string{"config.json": labels})), onnx.Options{})
		if err != nil {
			return nil, err
		}
		got, err := r.Rerank(t.Context(), "who?", []string{"the fox", " "})
		if !slices.Equal(f.Asked, []string{"logits"}) {
			t.Errorf("asked for %v", f.Asked)
		}
		return got, err
	}
	if got, err := ask(`{"id2label":{"0":"LABEL_0"}}`, 1); err != nil || !slices.Equal(got, []float64{1 / (1 + math.Exp(-1)), 0}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ask(`{"id2label":{"0":"no","1":"yes"}}`, 2, 3); err != nil || !slices.Equal(got, []float64{1 / (1 + math.Exp(-1)), 0}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := ask(`{"id2label":{"0":"a","1":"b","2":"c"}}`, 1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
	for _, values := range [][]float32{{}, {1, 2, 3}, {float32(math.NaN())}} {
		if got, err := ask(`{}`, values...); fault.KindOf(err) != fault.Unavailable || got != nil {
			t.Errorf("%v: got %v, %v", values, got, err)
		}
	}
}

func TestAFileThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	dir := folder(t, "acme", sized)
	m := read(t, dir)
	if err := os.Remove(filepath.Join(dir, "model.onnx")); err != nil {
		t.Fatal(err)
	}
	if _, err := counted().Embedder(m, 0, onnx.Options{}); err == nil {
		t.Error("a model without a file was opened")
	}
}

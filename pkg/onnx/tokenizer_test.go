package onnx_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/onnx"
)

// folder makes one that holds files, the tokenizer of testdata and a graph unless they are among them.
func folder(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	words, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"tokenizer.json": string(words), "model.onnx": "a graph"}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		if text == "" { // left out
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, dir string) *onnx.Model {
	t.Helper()
	m, err := onnx.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// changed is the tokenizer of testdata with some of it replaced.
func changed(t *testing.T, oldnew ...string) map[string]string {
	t.Helper()
	words, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	text := string(words)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the tokenizer has no %s", oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return map[string]string{"tokenizer.json": text}
}

func TestTextsAreCutAsTheTokenizersLibraryCutsThem(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden []struct {
		Lower      bool
		Limit      int
		Texts      []string
		IDs, Kinds []int64
	}
	if err := json.Unmarshal(text, &golden); err != nil || len(golden) < 100 {
		t.Fatal(len(golden), err)
	}
	lower := read(t, folder(t, "lower", nil))
	cased := read(t, folder(t, "cased", changed(t, `"lowercase":true`, `"lowercase":false`)))
	bert := read(t, folder(t, "bert", changed(t, `"type":"TemplateProcessing"`, `"type":"BertProcessing","sep":["[SEP]",102],"cls":["[CLS]",101]`)))
	for _, g := range golden {
		models := []*onnx.Model{lower, bert}
		if !g.Lower {
			models = []*onnx.Model{cased}
		}
		for _, m := range models {
			if ids, kinds := m.Encode(g.Limit, g.Texts...); !slices.Equal(ids, g.IDs) || !slices.Equal(kinds, g.Kinds) {
				t.Errorf("%s %q in %d:\ngot  %v %v\nwant %v %v", m.Name, g.Texts, g.Limit, ids, kinds, g.IDs, g.Kinds)
			}
		}
	}
}

func TestATokenizerOfAnotherKindIsRefusedByName(t *testing.T) {
	t.Parallel()
	for want, files := range map[string]map[string]string{
		`tokenizer.json is of kind "Unigram"; this build reads WordPiece alone, the kind of BERT, MiniLM, BGE, E5 and Nomic in English`: {"tokenizer.json": `{"model":{"type":"Unigram","vocab":[["a",0.5]]}}`},
		`tokenizer.json has a normalizer "Sequence"; this build reads BertNormalizer alone`:                                             changed(t, `"type":"BertNormalizer"`, `"type":"Sequence"`),
		`tokenizer.json has no pre-tokenizer BertPreTokenizer, the one this build reads`:                                                changed(t, `"type":"BertPreTokenizer"`, `"type":"Whitespace"`),
		`tokenizer.json has a post-processor "RobertaProcessing"; this build reads TemplateProcessing and BertProcessing`:               changed(t, `"type":"TemplateProcessing"`, `"type":"RobertaProcessing"`),
		`tokenizer.json has a template that this build does not read`:                                                                   changed(t, `{"SpecialToken":{"id":"[SEP]","type_id":1}}`, `{"SpecialToken":{"id":"[EOS]","type_id":1}}`),
		`tokenizer.json has a template for 1 texts in which 0 stand`:                                                                    changed(t, `"single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},`, `"single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},`),
		`tokenizer.json cuts texts at their beginning, which this build does not`:                                                       changed(t, `"direction":"Right","max_length"`, `"direction":"Left","max_length"`),
		`tokenizer.json has no entry "[NONE]" for what is unknown`:                                                                      changed(t, `"unk_token":"[UNK]"`, `"unk_token":"[NONE]"`),
		`tokenizer.json has an added token "[MASK]" that is not special, which this build does not read`:                                changed(t, `"content":"[MASK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true`, `"content":"[MASK]","special":false`),
		`tokenizer.json has no vocabulary`:                                                                                              {"tokenizer.json": `{"model":{"type":"WordPiece","vocab":{}},"pre_tokenizer":{"type":"BertPreTokenizer"}}`},
		`tokenizer.json is no tokenizer: invalid character 'v' looking for beginning of value`:                                          {"tokenizer.json": `version https://git-lfs.github.com/spec/v1`},
	} {
		dir := folder(t, "m", files)
		_, err := onnx.Read(dir)
		if got := "ONNX model " + dir + ": " + want; fault.KindOf(err) != fault.Invalid || fault.Public(err) != got {
			t.Errorf("got  %v\nwant %s", err, got)
		}
	}
}

// FuzzAnyTextIsCut finds texts that break the tokenizer, or of which it makes more than fits.
func FuzzAnyTextIsCut(f *testing.F) {
	f.Add("Zoë买了3個 яблока\x00\xff in 東京 İ")
	f.Add("[SEP] café 🎉 ##ing")
	m, err := onnx.Read(func() string {
		dir := f.TempDir()
		words, err := os.ReadFile("testdata/tokenizer.json")
		for name, text := range map[string][]byte{"tokenizer.json": words, "model.onnx": []byte("a graph")} {
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
			}
		}
		if err != nil {
			f.Fatal(err)
		}
		return dir
	}())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		whole, _ := m.Encode(1<<20, text)
		if most := utf8.RuneCountInString(text)*4 + 2; len(whole) > most { // one character is at most a few after it was taken apart
			t.Errorf("%d tokens of %q", len(whole), text)
		}
		short, kinds := m.Encode(8, text)
		if len(short) > 8 || len(short) != len(kinds) || !slices.Equal(short[:len(short)-1], whole[:len(short)-1]) || short[len(short)-1] != whole[len(whole)-1] {
			t.Errorf("%q is %v, and shortened %v", text, whole, short)
		}
		if pair, _ := m.Encode(8, text, text); len(pair) > 8 {
			t.Errorf("two of %q are %v", text, pair)
		}
	})
}

package onnx

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
)

// Model is what a folder says of the model in it: one exported to ONNX, in the layout of Hugging Face and of
// sentence-transformers. Nothing of it is computed yet.
type Model struct {
	Name       string // the folder's
	Dimensions int    // of the vectors the model makes; 0 = no file says
	MaxTokens  int    // of one text, or of a question and a text; the model reads no further
	Pooling    Pooling
	embed.Prefixes

	file   string // of the graph and its weights
	words  []byte // tokenizer.json
	tokens *tokenizer
	labels int // of a classifier; 0 = no file says

	// what identify finds
	digest string // of all that its vectors and scores depend on
	single bool   // a text's numbers depend on what is computed with it: it goes alone
}

// Pooling is how the vectors of a text's tokens become its own.
type Pooling string

const (
	Mean  Pooling = "mean"  // of all tokens
	First Pooling = "first" // the first token's, BERT's [CLS]
	Max   Pooling = "max"   // in each dimension the largest
)

const (
	maxConfig    = 1 << 20  // bytes of config.json and its like
	maxTokenizer = 64 << 20 // bytes of tokenizer.json
	// defaultTokens is how much a model reads of which no file says more: what BERT was trained on.
	defaultTokens = 512
)

// files are where the graph may be, in the order they are looked for.
var files = []string{"model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx"}

// config.json
type configFile struct {
	Hidden    int               `json:"hidden_size"`
	Width     int               `json:"n_embd"` // as Nomic's says it
	Positions int               `json:"max_position_embeddings"`
	Labels    map[string]string `json:"id2label"`
}

// 1_Pooling/config.json of sentence-transformers
type poolingFile struct {
	Dimensions int    `json:"word_embedding_dimension"`
	Mode       string `json:"pooling_mode"`
	First      bool   `json:"pooling_mode_cls_token"`
	Mean       bool   `json:"pooling_mode_mean_tokens"`
	Max        bool   `json:"pooling_mode_max_tokens"`
	SqrtLength bool   `json:"pooling_mode_mean_sqrt_len_tokens"`
	Weighted   bool   `json:"pooling_mode_weightedmean_tokens"`
	Last       bool   `json:"pooling_mode_lasttoken"`
	Prompt     *bool  `json:"include_prompt"`
}

// config_sentence_transformers.json
type promptsFile struct {
	Prompts map[string]string `json:"prompts"`
	Default *string           `json:"default_prompt_name"`
}

// sentence_bert_config.json
type lengthFile struct {
	Max int `json:"max_seq_length"`
}

// modules.json: what a text goes through.
type moduleFile struct {
	Path string `json:"path"`
	Type string `json:"type"`
}

// Read reads all of the folder but the graph. What is wrong with the folder is an
// Invalid error that names the file. What no file says is taken from what is known of a model of the folder's name
// (embed.Known).
func Read(dir string) (*Model, error) {
	m, err := read(dir)
	var file *fileError
	if errors.As(err, &file) {
		return nil, fault.New(fault.Invalid, "ONNX model %s: %s", dir, file)
	}
	return m, err
}

// fileError names the file of a folder that is not as it must be.
type fileError struct {
	name string
	err  error
}

func (e *fileError) Error() string { return e.name + " " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func read(dir string) (*Model, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	m := &Model{Name: filepath.Base(absolute)}
	for _, name := range files {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			m.file = filepath.Join(dir, name)
			break
		}
	}
	if m.file == "" {
		return nil, &fileError{strings.Join(files, ", "), errors.New("is not there, none of them")}
	}
	if m.words, err = content(dir, "tokenizer.json", maxTokenizer); err != nil {
		return nil, err
	}
	if m.words == nil {
		return nil, &fileError{"tokenizer.json", errors.New("is not there")}
	}
	if m.tokens, err = readTokenizer(m.words); err != nil {
		return nil, &fileError{"tokenizer.json", err}
	}
	return m, m.readConfig(dir)
}

// id is the folder's name and a digest of the model's files and of how they are used: another file is another model.
func (m *Model) id() string { return m.Name + "-" + m.digest }

// identify reads the graph and its weights, which is all that takes time: some tens of milliseconds for a small model.
func (m *Model) identify() error {
	if m.digest != "" {
		return nil
	}
	sum := sha256.New()
	if err := m.sum(sum); err != nil {
		return err
	}
	_, _ = sum.Write(m.words) // a hash takes everything
	_, _ = fmt.Fprintf(sum, "\x00%s %d\x00%s\x00%s", m.Pooling, m.MaxTokens, m.Query, m.Document)
	m.digest = hex.EncodeToString(sum.Sum(nil)[:4])
	return nil
}

// readConfig takes the rest from the files that are there, and from what is known of the name.
func (m *Model) readConfig(dir string) error {
	var config configFile
	var prompts promptsFile
	var length lengthFile
	var modules []moduleFile
	for name, into := range map[string]any{
		"config.json": &config, "config_sentence_transformers.json": &prompts, "sentence_bert_config.json": &length, "modules.json": &modules,
	} {
		if _, err := decode(dir, name, into); err != nil {
			return err
		}
	}
	card, _ := embed.Known(m.Name)
	m.labels = len(config.Labels)
	m.Dimensions = cmp.Or(config.Hidden, config.Width)
	m.Pooling = Mean
	if embed.ByFirstToken(m.Name) {
		m.Pooling = First
	}
	if err := m.readPooling(dir, modules); err != nil {
		return err
	}
	m.Dimensions = cmp.Or(m.Dimensions, card.Dimensions)
	m.MaxTokens = cmp.Or(length.Max, m.tokens.limit, card.MaxTokens, config.Positions, defaultTokens)
	if config.Positions > 0 {
		m.MaxTokens = min(m.MaxTokens, config.Positions) // there are no vectors for more places
	}
	if least := max(marks(m.tokens.single), marks(m.tokens.pair)) + 1; m.MaxTokens < least {
		return &fileError{"sentence_bert_config.json", fmt.Errorf("lets the model read %d tokens, less than the %d that make sense", m.MaxTokens, least)}
	}
	m.Prefixes = card.Prefixes
	if said, ok := prompts.prefixes(); ok {
		m.Prefixes = said
	}
	return nil
}

// prefixes are the prompts for questions and documents; false where the file names none, or empty ones, which the library
// writes for models that were trained with some, too.
func (p *promptsFile) prefixes() (embed.Prefixes, bool) {
	always := ""
	if p.Default != nil {
		always = p.Prompts[*p.Default]
	}
	named := func(names ...string) string {
		for _, name := range names {
			if said, ok := p.Prompts[name]; ok {
				return said
			}
		}
		return always
	}
	said := embed.Prefixes{Query: named("query", "search_query"), Document: named("document", "passage", "search_document")}
	return said, said != embed.Prefixes{}
}

func (m *Model) readPooling(dir string, modules []moduleFile) error {
	path := "1_Pooling"
	for _, module := range modules {
		kind := module.Type[strings.LastIndexByte(module.Type, '.')+1:]
		switch kind {
		case "Transformer", "Normalize": // vectors are always brought to length 1
		case "Pooling":
			path = module.Path
		default:
			return &fileError{"modules.json", fmt.Errorf("has a module %s, which this build does not compute", kind)}
		}
	}
	if !filepath.IsLocal(path) {
		return &fileError{"modules.json", errors.New("has the pooling outside the folder")}
	}
	name := filepath.ToSlash(filepath.Join(path, "config.json"))
	var p poolingFile
	if there, err := decode(dir, name, &p); err != nil || !there {
		return err
	}
	m.Dimensions = cmp.Or(p.Dimensions, m.Dimensions)
	if p.Prompt != nil && !*p.Prompt {
		return &fileError{name, errors.New("leaves prompts out of the vector, which this build does not")}
	}
	var modes []Pooling
	for mode, chosen := range map[Pooling]bool{Mean: p.Mean || p.Mode == "mean", First: p.First || p.Mode == "cls", Max: p.Max || p.Mode == "max"} {
		if chosen {
			modes = append(modes, mode)
		}
	}
	if len(modes) != 1 || p.SqrtLength || p.Weighted || p.Last {
		return &fileError{name, errors.New("pools otherwise than by the mean, the first token or the largest values, which is all this build does")}
	}
	m.Pooling = modes[0]
	return nil
}

// quantized is the operation that scales numbers by the largest of all that are computed together.
const quantized = "DynamicQuantizeLinear"

// sum reads the graph, and the weights beside it where there are any, and sees whether texts must go alone.
func (m *Model) sum(into hash.Hash) error {
	for _, name := range []string{m.file, m.file + "_data", m.file + ".data"} {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) && name != m.file {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		found, err := scan(io.TeeReader(file, into), quantized)
		_ = file.Close() // it was only read
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		m.single = m.single || found
	}
	return nil
}

// scan reads to the end and reports whether the word was there.
func scan(r io.Reader, word string) (found bool, err error) {
	block := make([]byte, 1<<20)
	kept := 0 // of the last block, in which a word may have begun
	for {
		n, err := r.Read(block[kept:])
		all := block[:kept+n]
		found = found || bytes.Contains(all, []byte(word))
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		kept = copy(block, all[max(0, len(all)-len(word)+1):])
	}
}

// decode reads a file of the folder where it is there.
func decode(dir, name string, into any) (there bool, err error) {
	text, err := content(dir, name, maxConfig)
	if err != nil || text == nil {
		return false, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, &fileError{name, fmt.Errorf("cannot be read: %w", err)}
	}
	return true, nil
}

// content is what a file of the folder holds, nil where there is none.
func content(dir, name string, most int64) ([]byte, error) {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", name, dir, err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", name, dir, err)
	}
	if int64(len(text)) > most {
		return nil, &fileError{name, fmt.Errorf("is larger than %d bytes", most)}
	}
	return text, nil
}

package onnx

import (
	"encoding/json"
	"fmt"
	"strings"
)

// tokenizer makes of texts what a model reads, as its tokenizer.json says.
type tokenizer struct {
	words  wordpiece
	single []part // of one text
	pair   []part // of two
	pad    int64
	limit  int // tokens of one encoding, marks included; 0 = the file says nothing
}

// part is a mark, or the place of a text.
type part struct {
	ids  []int64 // of a mark; nil: a text stands here
	text int     // 0 or 1
	kind int64   // token_type_ids of all its tokens
}

// encoding is one row of what a model reads. All its tokens count.
type encoding struct {
	ids, kinds []int64
}

// tokenizerFile is tokenizer.json as Hugging Face's tokenizers write it, as far as it is read.
type tokenizerFile struct {
	Truncation *struct {
		MaxLength int    `json:"max_length"`
		Direction string `json:"direction"`
	} `json:"truncation"`
	Padding *struct {
		ID int64 `json:"pad_id"`
	} `json:"padding"`
	Normalizer *struct {
		Type    string `json:"type"`
		Clean   *bool  `json:"clean_text"`
		Chinese *bool  `json:"handle_chinese_chars"`
		Strip   *bool  `json:"strip_accents"`
		Lower   *bool  `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	PostProcessor *postProcessor `json:"post_processor"`
	Model         struct {
		Type       string          `json:"type"`
		Unknown    string          `json:"unk_token"`
		Prefix     *string         `json:"continuing_subword_prefix"`
		Longest    int             `json:"max_input_chars_per_word"`
		Vocabulary json.RawMessage `json:"vocab"` // a list in kinds that are not read
	} `json:"model"`
	Added []struct {
		ID      int64  `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
}

// postProcessor says which marks stand around texts.
type postProcessor struct {
	Type   string          `json:"type"`
	Single []templatePart  `json:"single"`
	Pair   []templatePart  `json:"pair"`
	Marks  map[string]mark `json:"special_tokens"`
	Sep    bertMark        `json:"sep"`
	Cls    bertMark        `json:"cls"`
}

type mark struct {
	IDs []int64 `json:"ids"`
}

type templatePart struct {
	Mark *struct {
		ID   string `json:"id"`
		Kind int64  `json:"type_id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID   string `json:"id"`
		Kind int64  `json:"type_id"`
	} `json:"Sequence"`
}

// bertMark is a token with its id, a list of two in the file.
type bertMark struct{ id int64 }

func (m *bertMark) UnmarshalJSON(text []byte) error {
	var token string
	return json.Unmarshal(text, &[2]any{&token, &m.id})
}

// longestWord is how many characters a word may have where the file does not say.
const longestWord = 100

// readTokenizer understands a tokenizer.json. Its errors say what in it is not understood.
func readTokenizer(text []byte) (*tokenizer, error) {
	var file tokenizerFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("is no tokenizer: %w", err)
	}
	if file.Model.Type != "WordPiece" {
		return nil, fmt.Errorf("is of kind %q; this build reads WordPiece alone, the kind of BERT, MiniLM, BGE, E5 and Nomic in English", file.Model.Type)
	}
	if n := file.Normalizer; n != nil && n.Type != "BertNormalizer" {
		return nil, fmt.Errorf("has a normalizer %q; this build reads BertNormalizer alone", n.Type)
	}
	if p := file.PreTokenizer; p == nil || p.Type != "BertPreTokenizer" {
		return nil, fmt.Errorf("has no pre-tokenizer BertPreTokenizer, the one this build reads")
	}
	if t := file.Truncation; t != nil && t.Direction == "Left" {
		return nil, fmt.Errorf("cuts texts at their beginning, which this build does not")
	}
	t := &tokenizer{words: wordpiece{longest: longestWord, prefix: "##"}}
	if err := t.readWords(&file); err != nil {
		return nil, err
	}
	if err := t.readMarks(&file); err != nil {
		return nil, err
	}
	if file.Truncation != nil {
		t.limit = file.Truncation.MaxLength
	}
	if file.Padding != nil {
		t.pad = file.Padding.ID
	} else {
		t.pad = t.words.vocabulary["[PAD]"]
	}
	return t, nil
}

func (t *tokenizer) readWords(file *tokenizerFile) error {
	w := &t.words
	if err := json.Unmarshal(file.Model.Vocabulary, &w.vocabulary); err != nil || len(w.vocabulary) == 0 {
		return fmt.Errorf("has no vocabulary")
	}
	for _, added := range file.Added {
		if !added.Special {
			return fmt.Errorf("has an added token %q that is not special, which this build does not read", added.Content)
		}
		w.vocabulary[added.Content] = added.ID
	}
	for entry, id := range w.vocabulary {
		w.widest = max(w.widest, len(entry))
		if id < 0 {
			return fmt.Errorf("has the id %d in its vocabulary", id)
		}
	}
	var known bool
	if w.unknown, known = w.vocabulary[file.Model.Unknown]; !known {
		return fmt.Errorf("has no entry %q for what is unknown", file.Model.Unknown)
	}
	if file.Model.Prefix != nil {
		w.prefix = *file.Model.Prefix
	}
	if file.Model.Longest > 0 {
		w.longest = file.Model.Longest
	}
	if n := file.Normalizer; n != nil {
		yes := func(set *bool) bool { return set == nil || *set }
		w.clean, w.chinese, w.lower = yes(n.Clean), yes(n.Chinese), yes(n.Lower)
		w.strip = w.lower
		if n.Strip != nil {
			w.strip = *n.Strip
		}
	}
	return nil
}

func (t *tokenizer) readMarks(file *tokenizerFile) (err error) {
	p := file.PostProcessor
	if p == nil {
		return fmt.Errorf("has no post-processor, so that nothing says which marks stand around a text")
	}
	switch p.Type {
	case "BertProcessing":
		cls, sep := []int64{p.Cls.id}, []int64{p.Sep.id}
		t.single = []part{{ids: cls}, {}, {ids: sep}}
		t.pair = append(t.single[:3:3], part{text: 1, kind: 1}, part{ids: sep, kind: 1})
		return nil
	case "TemplateProcessing":
		if t.single, err = p.parts(p.Single, 1); err == nil {
			t.pair, err = p.parts(p.Pair, 2)
		}
		return err
	}
	return fmt.Errorf("has a post-processor %q; this build reads TemplateProcessing and BertProcessing", p.Type)
}

// parts are those of a template in which so many texts stand.
func (p *postProcessor) parts(template []templatePart, texts int) ([]part, error) {
	parts := make([]part, 0, len(template))
	seen := map[string]bool{}
	for _, item := range template {
		switch {
		case item.Mark != nil && len(p.Marks[item.Mark.ID].IDs) > 0:
			parts = append(parts, part{ids: p.Marks[item.Mark.ID].IDs, kind: item.Mark.Kind})
		case item.Sequence != nil && (item.Sequence.ID == "A" || item.Sequence.ID == "B" && texts == 2):
			seen[item.Sequence.ID] = true
			parts = append(parts, part{text: strings.Index("AB", item.Sequence.ID), kind: item.Sequence.Kind})
		default:
			return nil, fmt.Errorf("has a template that this build does not read")
		}
	}
	if len(seen) != texts {
		return nil, fmt.Errorf("has a template for %d texts in which %d stand", texts, len(seen))
	}
	return parts, nil
}

// encode is one text in at most limit tokens.
func (t *tokenizer) encode(text string, limit int) encoding {
	return assemble(t.single, t.words.tokens(text, max(0, limit-marks(t.single))))
}

// encodePair is two texts, of which the first has been cut, in at most limit tokens. The longer one is shortened first; two
// that don't fit alone count as equally long.
func (t *tokenizer) encodePair(first []int64, second string, limit int) encoding {
	room := max(0, limit-marks(t.pair))
	first = first[:min(len(first), room)]
	other := t.words.tokens(second, room)
	if len(first)+len(other) > room {
		a, b := shares(len(first), len(other), room)
		first, other = first[:a], other[:b]
	}
	return assemble(t.pair, first, other)
}

// shares is how many of two texts' tokens fit into a room that is too small for all: the shorter keeps up to half of it.
func shares(a, b, room int) (int, int) {
	switch half := room / 2; {
	case min(a, b) <= half && a <= b:
		return a, room - a
	case min(a, b) <= half:
		return room - b, b
	case a > b:
		return room - half, half
	default:
		return half, room - half
	}
}

func marks(parts []part) (n int) {
	for _, p := range parts {
		n += len(p.ids)
	}
	return n
}

func assemble(parts []part, texts ...[]int64) encoding {
	n := marks(parts)
	for _, text := range texts {
		n += len(text)
	}
	e := encoding{ids: make([]int64, 0, n), kinds: make([]int64, 0, n)}
	for _, p := range parts {
		ids := p.ids
		if ids == nil {
			ids = texts[p.text]
		}
		for _, id := range ids {
			e.ids, e.kinds = append(e.ids, id), append(e.kinds, p.kind)
		}
	}
	return e
}

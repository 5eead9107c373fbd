package embed

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Prefixes are written before texts, because a model was trained with them.
type Prefixes struct {
	Query    string
	Document string
}

func (p *Prefixes) before(k Kind) string {
	if k == Query {
		return p.Query
	}
	return p.Document
}

// Card is what has to be known of a model to use it well.
type Card struct {
	Dimensions int
	MaxTokens  int  // of a text; the model reads no further
	Shortens   bool // its first dimensions are vectors in themselves (Kusupati et al., "Matryoshka Representation Learning", 2022)
	Prefixes
}

// What models are trained to read before a text, from their cards.
var (
	plain    = Prefixes{}
	e5       = Prefixes{Query: "query: ", Document: "passage: "}
	nomic    = Prefixes{Query: "search_query: ", Document: "search_document: "}
	bge      = Prefixes{Query: "Represent this sentence for searching relevant passages: "}
	bgeZh    = Prefixes{Query: "为这个句子生成表示以用于检索相关文章:"}
	asked    = Prefixes{Query: "query: "}
	gemma    = Prefixes{Query: "task: search result | query: ", Document: "title: none | text: "}
	instruct = Prefixes{Query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "}
)

// cards are the models by the beginning of their names. The longest that fits counts.
var cards = map[string]Card{
	"text-embedding-3-small": {1536, 8191, true, plain},
	"text-embedding-3-large": {3072, 8191, true, plain},
	"text-embedding-ada-002": {1536, 8191, false, plain},

	"gemini-embedding-001": {3072, 2048, true, plain},
	"text-embedding-004":   {768, 2048, true, plain},

	"embed-v4.0":                    {1536, 128_000, true, plain},
	"embed-english-v3.0":            {1024, 512, false, plain},
	"embed-multilingual-v3.0":       {1024, 512, false, plain},
	"embed-english-light-v3.0":      {384, 512, false, plain},
	"embed-multilingual-light-v3.0": {384, 512, false, plain},

	"mistral-embed": {1024, 8192, false, plain},

	"all-minilm":                            {384, 256, false, plain},
	"all-minilm-l12-v2":                     {384, 128, false, plain},
	"all-mpnet-base-v2":                     {768, 384, false, plain},
	"paraphrase-multilingual-minilm-l12-v2": {384, 128, false, plain},
	"paraphrase-multilingual":               {768, 128, false, plain}, // as Ollama calls the mpnet
	"paraphrase-multilingual-mpnet-base-v2": {768, 128, false, plain},

	"nomic-embed-text":        {768, 2048, true, nomic}, // as Ollama calls v1.5
	"nomic-embed-text-v1":     {768, 8192, false, nomic},
	"nomic-embed-text-v1.5":   {768, 8192, true, nomic},
	"nomic-embed-text-v2-moe": {768, 512, true, nomic},

	"e5-small":                       {384, 512, false, e5},
	"e5-base":                        {768, 512, false, e5},
	"e5-large":                       {1024, 512, false, e5},
	"multilingual-e5-small":          {384, 512, false, e5},
	"multilingual-e5-base":           {768, 512, false, e5},
	"multilingual-e5-large":          {1024, 512, false, e5},
	"multilingual-e5-large-instruct": {1024, 512, false, instruct},
	"e5-mistral-7b-instruct":         {4096, 4096, false, instruct},

	"bge-small-en": {384, 512, false, bge},
	"bge-base-en":  {768, 512, false, bge},
	"bge-large-en": {1024, 512, false, bge},
	"bge-large":    {1024, 512, false, bge}, // as Ollama calls the English one
	"bge-small-zh": {512, 512, false, bgeZh},
	"bge-base-zh":  {768, 512, false, bgeZh},
	"bge-large-zh": {1024, 512, false, bgeZh},
	"bge-m3":       {1024, 8192, false, plain},

	"gte-small": {384, 512, false, plain},
	"gte-base":  {768, 512, false, plain},
	"gte-large": {1024, 512, false, plain},

	"mxbai-embed-large": {1024, 512, true, bge},

	"snowflake-arctic-embed":        {1024, 512, false, bge}, // as Ollama calls l
	"snowflake-arctic-embed-xs":     {384, 512, false, bge},
	"snowflake-arctic-embed-s":      {384, 512, false, bge},
	"snowflake-arctic-embed-m":      {768, 512, false, bge},
	"snowflake-arctic-embed-l":      {1024, 512, false, bge},
	"snowflake-arctic-embed-m-v2.0": {768, 8192, true, asked},
	"snowflake-arctic-embed-l-v2.0": {1024, 8192, true, asked},
	"snowflake-arctic-embed2":       {1024, 8192, true, asked},

	"embeddinggemma": {768, 2048, true, gemma},

	"qwen3-embedding-0.6b": {1024, 32_768, true, instruct},
	"qwen3-embedding-4b":   {2560, 32_768, true, instruct},
	"qwen3-embedding-8b":   {4096, 32_768, true, instruct},
}

// Known returns the card of a model, whoever serves it: owners before a slash, and case, make no difference, and a tag
// after a colon is part of the name.
func Known(model string) (Card, bool) {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	name = strings.ReplaceAll(strings.TrimSuffix(name, ":latest"), ":", "-")
	for end := len(name); end > 0; end-- {
		whole := end == len(name) || strings.IndexByte("-.@", name[end]) >= 0
		if card, known := cards[name[:end]]; whole && known {
			return card, true
		}
	}
	return Card{}, false
}

// firstToken are the beginnings of the names of models that are trained to say what a text means in its first token.
var firstToken = []string{"bge-", "mxbai-embed-", "snowflake-arctic-embed"}

// ByFirstToken reports whether a model's vector of a text is that of its first token, and not the mean of all. Owners
// before a slash, and case, make no difference.
func ByFirstToken(model string) bool {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	return slices.ContainsFunc(firstToken, func(beginning string) bool { return strings.HasPrefix(name, beginning) })
}

// ID is what vectors of the spec are told apart by. What the model's card says is left out.
func (s *Spec) ID() string {
	card, _ := Known(s.Model)
	id := s.Model
	if s.Dimensions != cmp.Or(card.Dimensions, s.Dimensions) {
		id += "@" + strconv.Itoa(s.Dimensions)
	}
	if s.Prefixes != card.Prefixes {
		other := sha256.Sum256([]byte(s.Query + "\x00" + s.Document))
		id += "+" + hex.EncodeToString(other[:4])
	}
	return id
}

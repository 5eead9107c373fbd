package inference

import (
	"cmp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/cohere"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/gemini"
	"github.com/rae-memory/rae/pkg/openai"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Embedding says which embedder. Every function that embeds has it in its Config.
type Embedding struct {
	EmbedProvider   string           `envconfig:"RAE_EMBED_PROVIDER" default:"static" allowed:"static|hash|openai|azure|gemini|cohere|ollama|vllm|tei|lmstudio|rae|onnx"`
	EmbedModel      string           `envconfig:"RAE_EMBED_MODEL"`    // empty: the provider's own choice
	EmbedBaseURL    string           `envconfig:"RAE_EMBED_BASE_URL"` // empty: where the provider usually is
	EmbedKey        telemetry.Secret `envconfig:"RAE_EMBED_API_KEY"`
	EmbedAPIVersion string           `envconfig:"RAE_EMBED_API_VERSION" default:"2024-10-21"`           // of Azure
	EmbedDimensions int              `envconfig:"RAE_EMBED_DIMENSIONS" default:"0" min:"0" max:"16000"` // 0: the model's own
	EmbedQuery      string           `envconfig:"RAE_EMBED_QUERY_PREFIX" default:"auto"`                // auto: what the model is known to want; none: nothing
	EmbedDocument   string           `envconfig:"RAE_EMBED_DOCUMENT_PREFIX" default:"auto"`
	EmbedTimeout    time.Duration    `envconfig:"RAE_EMBED_TIMEOUT" default:"10s" min:"1ms" max:"10m"`

	EmbedONNXLibrary string `envconfig:"RAE_ONNX_LIBRARY"`                                // empty: libonnxruntime.so, where the system looks for libraries
	EmbedONNXThreads int    `envconfig:"RAE_ONNX_THREADS" default:"0" min:"0" max:"1024"` // 0: as many as there are processors
}

const (
	auto = "auto"
	none = "none"
)

// embedHosts are the providers that are asked over HTTP.
var embedHosts = map[string]host{
	"openai":   {baseURL: openai.BaseURL, model: "text-embedding-3-small", key: true, most: 256},
	"azure":    {keyHeader: openai.AzureKeyHeader, most: 256},
	"gemini":   {baseURL: gemini.BaseURL, model: "gemini-embedding-001", key: true, keyHeader: gemini.KeyHeader, most: gemini.MaxTexts},
	"cohere":   {baseURL: cohere.BaseURL, model: "embed-v4.0", key: true, most: cohere.MaxTexts},
	"ollama":   {baseURL: "http://localhost:11434/v1", model: "nomic-embed-text", most: 64},
	"vllm":     {baseURL: "http://localhost:8000/v1", most: 64},
	"tei":      {baseURL: "http://localhost:8080/v1", most: 32}, // what it takes unless it was started with more
	"lmstudio": {baseURL: "http://localhost:1234/v1", most: 64},
	rae:        {most: 256},
}

// requestTokens is how much goes into a request: half of what OpenAI takes, because it is an estimate.
const requestTokens = 150_000

// Check is part of serve.Checker: configurations that have an Embedding call it from theirs. Its error is a
// *serve.ConfigError.
func (c *Embedding) Check() error {
	if c.EmbedProvider == local {
		_, err := c.readFolder()
		return err
	}
	if _, remote := embedHosts[c.EmbedProvider]; !remote {
		return checkBuiltIn("RAE_EMBED", c.EmbedProvider, c.EmbedModel, embed.BuiltIn)
	}
	if err := c.setting().check(); err != nil {
		return err
	}
	_, err := c.spec()
	return err
}

func (c *Embedding) setting() *setting {
	return &setting{
		prefix: "RAE_EMBED", provider: c.EmbedProvider, model: c.EmbedModel, baseURL: c.EmbedBaseURL, key: c.EmbedKey,
		host: embedHosts[c.EmbedProvider],
	}
}

// spec is what is asked of a provider over HTTP.
func (c *Embedding) spec() (embed.Spec, error) {
	known := embedHosts[c.EmbedProvider]
	s := embed.Spec{
		Provider: c.EmbedProvider, Model: cmp.Or(c.EmbedModel, known.model), MaxTexts: known.most, MaxTokens: requestTokens, Timeout: c.EmbedTimeout,
	}
	card, _ := embed.Known(s.Model)
	s.MaxTextTokens, s.Native = card.MaxTokens, card.Dimensions
	s.Dimensions = cmp.Or(c.EmbedDimensions, card.Dimensions)
	if err := fits(s.Dimensions, card, s.Model); err != nil {
		return s, err
	}
	s.Prefixes = embed.Prefixes{Query: prefix(c.EmbedQuery, card.Query), Document: prefix(c.EmbedDocument, card.Document)}
	s.Called = s.ID()
	if c.EmbedProvider == rae {
		s.Prefixes = embed.Prefixes{} // the function writes them
	}
	return s, nil
}

// fits finds dimensions that a model's vectors don't have. Its error is a *serve.ConfigError.
func fits(dimensions int, card embed.Card, model string) error {
	switch {
	case dimensions == 0:
		return &serve.ConfigError{Name: "RAE_EMBED_DIMENSIONS", Missing: true, Allowed: "how many numbers a vector of model " + model + " has, which RAE does not know"}
	case card.Dimensions > 0 && dimensions != card.Dimensions && (dimensions > card.Dimensions || !card.Shortens):
		allowed := "unset or " + strconv.Itoa(card.Dimensions)
		if card.Shortens {
			allowed += ", or less,"
		}
		return &serve.ConfigError{Name: "RAE_EMBED_DIMENSIONS", Value: strconv.Itoa(dimensions), Allowed: allowed + " for model " + model}
	}
	return nil
}

// prefix is what a setting says of one.
func prefix(set, known string) string {
	switch set {
	case auto, "":
		return known
	case none:
		return ""
	}
	return set
}

// Open returns how embedders are opened: by the id of a model, "" for the one that is set. One that was opened is given
// again. What asks somebody else has caches before it. Check has passed; the errors are *serve.ConfigError, or Invalid for
// a model the provider does not have.
func (c *Embedding) Open(d Deps) func(model string) (embed.Embedder, error) {
	if c.EmbedProvider == local {
		return c.openFolders(d)
	}
	var mu sync.Mutex
	opened := map[string]embed.Embedder{}
	return func(model string) (embed.Embedder, error) {
		mu.Lock()
		defer mu.Unlock()
		if e := opened[model]; e != nil {
			return e, nil
		}
		e, err := c.of(model).open(&d)
		if err != nil {
			return nil, err
		}
		if same := opened[e.Model()]; same != nil {
			e = same
		}
		opened[model], opened[e.Model()] = e, e
		return e, nil
	}
}

// of are the settings of another model of the same provider, by its name or by the id its vectors have.
func (c *Embedding) of(model string) *Embedding {
	if _, remote := embedHosts[c.EmbedProvider]; !remote {
		other := *c
		other.EmbedModel = cmp.Or(model, c.EmbedModel)
		return &other
	}
	if s, err := c.spec(); model == "" || err == nil && (s.Called == model || s.Model == model) {
		return c
	}
	other := *c
	other.EmbedModel = model
	if name, digits, cut := strings.Cut(model, "@"); cut {
		if n, err := strconv.Atoi(digits); err == nil {
			other.EmbedModel, other.EmbedDimensions = name, n
			return &other
		}
	}
	if _, known := embed.Known(model); known {
		other.EmbedDimensions = 0
	}
	return &other
}

func (c *Embedding) open(d *Deps) (embed.Embedder, error) {
	if _, remote := embedHosts[c.EmbedProvider]; !remote {
		e, err := embed.BuiltIn(c.EmbedProvider, c.EmbedModel)
		if err != nil {
			return nil, err
		}
		return embed.WithCache(e, d.Vectors), nil
	}
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	setting := c.setting()
	client, meter, err := setting.open(d)
	if err != nil {
		return nil, err
	}
	adapter := c.adapter(client, &spec)
	spec.Provider = setting.payee(d.Own)
	e, err := embed.NewRemote(adapter, spec, meter)
	if err != nil {
		return nil, err
	}
	cached := embed.WithCache(e, d.Vectors)
	if flight, ok := cached.(*embed.Cached); ok {
		flight.Timeout = c.EmbedTimeout // who started it may be gone: nobody else's deadline would end it
	}
	return cached, nil
}

// Vectors tells what the vectors of the model that is set are called, and how many numbers they have, asking nobody.
func (c *Embedding) Vectors() (model string, dimensions int, err error) {
	if _, remote := embedHosts[c.EmbedProvider]; remote {
		s, err := c.spec()
		return s.Called, s.Dimensions, err
	}
	if c.EmbedProvider == local {
		e, err := c.openFolder()
		if err != nil {
			return "", 0, err
		}
		return e.Model(), e.Dimensions(), nil
	}
	e, err := embed.BuiltIn(c.EmbedProvider, c.EmbedModel)
	if err != nil {
		return "", 0, err
	}
	return e.Model(), e.Dimensions(), nil
}

// adapter speaks as the provider does. Fewer dimensions are asked for where the provider is known to take the question;
// elsewhere embed.Remote takes the first ones.
func (c *Embedding) adapter(client *provider.Client, s *embed.Spec) embed.Provider {
	fewer := 0
	if s.Native > s.Dimensions {
		fewer = s.Dimensions
	}
	switch c.EmbedProvider {
	case "gemini":
		return &gemini.Embeddings{Client: client, Model: s.Model, Dimensions: fewer}
	case "cohere":
		return &cohere.Embeddings{Client: client, Model: s.Model, Dimensions: fewer}
	case "openai":
		return &openai.Embeddings{Client: client, Model: s.Model, Dimensions: fewer}
	case "azure":
		return &openai.Embeddings{Client: client, Model: s.Model, Dimensions: fewer, Azure: c.EmbedAPIVersion}
	case rae:
		return &openai.Embeddings{Client: client, Model: s.Called, TellKind: true}
	}
	return &openai.Embeddings{Client: client, Model: s.Model}
}

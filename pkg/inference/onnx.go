package inference

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/onnx"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/serve"
)

// local is the provider that is a folder with a model, computed in this process. It costs nothing and asks nobody, so it has
// no meter; but it is heavy and can be absent, so it is not built in (embed.Free): its vectors are cached, and no project
// moves to it unasked.
const local = "onnx"

// folder is what the settings say of a model in a folder.
type folder struct {
	prefix  string // RAE_EMBED or RAE_RERANK
	dir     string
	options onnx.Options
}

// read reads the model. Its error is a *serve.ConfigError.
func (f *folder) read() (*onnx.Model, error) {
	if !onnx.Built {
		return nil, &serve.ConfigError{Name: f.prefix + "_PROVIDER", Value: local, Allowed: onnx.Missing}
	}
	if f.dir == "" {
		return nil, &serve.ConfigError{Name: f.prefix + "_MODEL", Missing: true, Allowed: "the folder of an ONNX model"}
	}
	if f.options.Library != "" {
		if _, err := os.Stat(f.options.Library); err != nil {
			return nil, &serve.ConfigError{Name: "RAE_ONNX_LIBRARY", Value: f.options.Library, Allowed: "unset or the file of ONNX Runtime's shared library"}
		}
	}
	m, err := onnx.Read(f.dir)
	if err != nil {
		return nil, f.refused(err)
	}
	return m, nil
}

func (f *folder) refused(err error) error {
	why := err.Error()
	if fault.KindOf(err) == fault.Invalid {
		why = fault.Public(err)
	}
	return &serve.ConfigError{Name: f.prefix + "_MODEL", Value: f.dir, Allowed: "a folder with a model that can be used (" + why + ")"}
}

func (c *Embedding) folder() *folder {
	return &folder{"RAE_EMBED", c.EmbedModel, onnx.Options{Library: c.EmbedONNXLibrary, Threads: c.EmbedONNXThreads}}
}

// readFolder reads the model and what the settings say otherwise of it. Its error is a *serve.ConfigError.
func (c *Embedding) readFolder() (*onnx.Model, error) {
	m, err := c.folder().read()
	if err != nil {
		return nil, err
	}
	m.Prefixes = embed.Prefixes{Query: prefix(c.EmbedQuery, m.Query), Document: prefix(c.EmbedDocument, m.Document)}
	card, _ := embed.Known(m.Name)
	if err := fits(cmp.Or(c.EmbedDimensions, m.Dimensions), embed.Card{Dimensions: m.Dimensions, Shortens: card.Shortens}, m.Name); err != nil {
		return nil, err
	}
	return m, nil
}

// openFolder opens the folder's model. Its error is a *serve.ConfigError.
func (c *Embedding) openFolder() (*onnx.Embedder, error) {
	m, err := c.readFolder()
	if err != nil {
		return nil, err
	}
	e, err := onnx.NewEmbedder(m, c.EmbedDimensions, c.folder().options)
	if err != nil {
		return nil, c.folder().refused(err)
	}
	return e, nil
}

// openFolders is Open where models are folders: the one that is set, and those beside it by their ids, so that a project's
// vectors of the folder that was set before can still be searched, and moved.
func (c *Embedding) openFolders(d Deps) func(model string) (embed.Embedder, error) {
	var mu sync.Mutex
	type key struct {
		dir        string
		dimensions int
	}
	opened := map[key]embed.Embedder{}
	open := func(c *Embedding) (embed.Embedder, error) {
		key := key{c.EmbedModel, c.EmbedDimensions}
		if e := opened[key]; e != nil {
			return e, nil
		}
		e, err := c.openFolder()
		if err != nil {
			return nil, err
		}
		cached := embed.WithCache(e, d.Vectors)
		if flight, ok := cached.(*embed.Cached); ok {
			flight.Timeout = c.EmbedTimeout
		}
		opened[key] = cached
		return cached, nil
	}
	return func(model string) (embed.Embedder, error) {
		mu.Lock()
		defer mu.Unlock()
		set, err := open(c)
		if err != nil || model == "" || model == set.Model() {
			return set, err
		}
		if beside, ok := c.beside(model); ok {
			if e, err := open(beside); err == nil && e.Model() == model {
				return e, nil
			}
		}
		return nil, fault.New(fault.Invalid, "embedding model %q is unknown; there is: %s", model, set.Model())
	}
}

// called is the id of a folder's model: its name, a digest, and dimensions where they are fewer.
var called = regexp.MustCompile(`^([^/\\@]+)-[0-9a-f]{8}(?:@([1-9][0-9]{0,4}))?$`)

// beside are the settings of the folder that has the id's name and lies where the set one does.
func (c *Embedding) beside(id string) (*Embedding, bool) {
	parts := called.FindStringSubmatch(id)
	if parts == nil || !filepath.IsLocal(parts[1]) {
		return nil, false
	}
	other := *c
	other.EmbedModel = filepath.Join(filepath.Dir(filepath.Clean(c.EmbedModel)), parts[1])
	other.EmbedDimensions, _ = strconv.Atoi(parts[2]) // "" is the model's own
	return &other, true
}

func (c *Reranking) folder() *folder {
	return &folder{"RAE_RERANK", c.RerankModel, onnx.Options{Library: c.RerankONNXLibrary, Threads: c.RerankONNXThreads}}
}

func (c *Reranking) openFolder() (rerank.Reranker, error) {
	f := c.folder()
	m, err := f.read()
	if err != nil {
		return nil, err
	}
	r, err := onnx.NewReranker(m, f.options)
	if err != nil {
		return nil, f.refused(err)
	}
	return r, nil
}

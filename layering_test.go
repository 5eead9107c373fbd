package rae_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// A ring is a kind of package. Arrows between rings point one way.
type ring string

const (
	domain     ring = "domain"     // nouns
	capability ring = "capability" // verbs, with the ports only they use
	suite      ring = "suite"      // a port's contract, run by the tests of everything that implements it
	adapter    ring = "adapter"    // ports filled with a product, or with this process' memory
	transport  ring = "transport"  // how adapters reach a product over the network
	wiring     ring = "wiring"     // which adapter fills a port, by the settings
	edge       ring = "edge"       // where the outside world comes in: HTTP, credentials, settings, logs
	events     ring = "events"     // the catalogue of CloudEvents and how they travel
	function   ring = "function"   // one deployable: wiring, routes, events
	engine     ring = "engine"     // all functions in one process
	program    ring = "program"    // a function's main
	console    ring = "console"    // the command line over the engine
)

// rings says who may import whom: code to the left, its tests as well as the code to the right.
var rings = []struct {
	name  ring
	may   []ring
	tests []ring
	why   string
}{
	{domain, []ring{domain}, []ring{suite},
		"a noun is explained by nouns alone, or every reader of one must know the rest"},
	{capability, []ring{domain}, []ring{capability, adapter, suite},
		"a verb declares the ports it needs and is handed them; tests hand it inmem, which keeps every contract"},
	{suite, []ring{domain, capability, suite}, nil,
		"a contract knows the port and nothing that fills it, so that a stranger's adapter can run it; suites share how they are counted"},
	{adapter, []ring{domain, capability, transport}, []ring{adapter, suite},
		"an adapter fills ports and is exchanged for another: none may lean on another"},
	{transport, []ring{domain}, nil,
		"what adapters of one kind do alike knows no product and no port"},
	{edge, []ring{domain, capability}, nil,
		"HTTP, credentials and settings are the same for every function and know none"},
	{events, []ring{domain}, []ring{capability, adapter, suite},
		"an event tells what happened to nouns; who takes it is a name in the catalogue"},
	{wiring, []ring{domain, capability, transport, adapter, edge}, []ring{suite},
		"what every function opens alike is opened in one place"},
	{function, []ring{domain, capability, adapter, wiring, edge, events}, []ring{suite},
		"a function wires; functions meet by event or by port, so that each is deployed alone"},
	{engine, []ring{domain, capability, adapter, wiring, edge, events, function}, []ring{suite},
		"one process is one more way of wiring the same functions"},
	{program, []ring{edge, function}, nil,
		"a main is one line: which function, hosted by serve"},
	{console, []ring{domain, capability, wiring, edge, engine}, nil,
		"the command line speaks to the engine; opening stores is the engine's"},
}

// packages says which ring each package is in. A package in none fails.
var packages = []struct {
	path  string
	ring  ring
	holds string
}{
	{"pkg/fault", domain, "kinds of errors"},
	{"pkg/groupcommit", domain, "writers that share a commit"},
	{"pkg/knowledge", domain, "what memories say: statements, facts, entities, and the ports that keep them"},
	{"pkg/llm", domain, "what a language model is asked and answers"},
	{"pkg/memory", domain, "memories, scopes, versions, and the port that keeps them"},
	{"pkg/outbox", domain, "changes that wait to be announced"},
	{"pkg/relevance", domain, "which terms a memory holds, what a question's are worth, what they earn"},
	{"pkg/text", domain, "words, stems and sentences of a text"},
	{"pkg/when", domain, "dates and stretches of time a text names"},
	{"pkg/tokens", domain, "how many tokens a text is to a language model"},

	{"pkg/backup", capability, "everything of a tenant in an archive, and back"},
	{"pkg/budget", capability, "spending within limits"},
	{"pkg/embed", capability, "turning texts into vectors"},
	{"pkg/eval", capability, "measuring how well an engine finds"},
	{"pkg/extract", capability, "reading out of memories what they say"},
	{"pkg/ingest", capability, "taking in memories"},
	{"pkg/job", capability, "long work in slices"},
	{"pkg/learn", capability, "what statements come to: evidence, facts, which of them end which, and the way back"},
	{"pkg/reflection", capability, "deriving memories from memories"},
	{"pkg/rerank", capability, "ordering candidates a second time"},
	{"pkg/search", capability, "finding memories"},

	{"pkg/contract", suite, "how many clauses of a suite ran, and on what"},
	{"pkg/backup/backuptest", suite, "of backup.Store"},
	{"pkg/budget/budgettest", suite, "of budget.Ledger"},
	{"pkg/embed/embedtest", suite, "of embed.Embedder"},
	{"pkg/job/jobtest", suite, "of job.Store"},
	{"pkg/knowledge/knowledgetest", suite, "of the ports of package knowledge"},
	{"pkg/memory/memorytest", suite, "of memory.Store"},
	{"pkg/outbox/outboxtest", suite, "of outbox.Queue"},
	{"pkg/reflection/reflectiontest", suite, "of reflection.Store"},
	{"pkg/qdrant/qdranttest", suite, "a Qdrant in this process, as far as RAE uses one"},
	{"pkg/provider/providertest", suite, "of every adapter to a provider of models: servers that fail"},
	{"pkg/rerank/reranktest", suite, "of rerank.Reranker"},
	{"pkg/search/searchtest", suite, "of search.Leg, Neighbourhood, Freshness and Reranker"},
	{"pkg/search/cachetest", suite, "of search.Cache"},
	{"pkg/serve/limittest", suite, "of serve.Limiter"},
	{"pkg/servicetest", suite, "real services for tests to run against: of no port, but like a suite, for tests alone"},

	{"pkg/anthropic", adapter, "answers of Anthropic's language models"},
	{"pkg/cohere", adapter, "vectors and scores of Cohere, and of those who speak its rerank API"},
	{"pkg/gemini", adapter, "vectors and answers of Gemini"},
	{"pkg/index", adapter, "search's legs over an index in this process that follows memory.Feed"},
	{"pkg/inmem", adapter, "stores in this process"},
	{"pkg/onnx", adapter, "vectors and scores of models in a folder, by ONNX Runtime in builds that have it"},
	{"pkg/openai", adapter, "vectors and answers of OpenAI, and of those who speak its API"},
	{"pkg/postgres", adapter, "stores in PostgreSQL, for any number of processes"},
	{"pkg/qdrant", adapter, "search's dense leg over a copy of the vectors in Qdrant, and what keeps the copy"},
	{"pkg/redis", adapter, "caches and limits that instances share"},
	{"pkg/sqlite", adapter, "stores in one file"},
	{"pkg/tei", adapter, "scores of Text Embeddings Inference"},
	{"pkg/voyage", adapter, "scores of Voyage AI"},

	{"pkg/provider", transport, "how providers of models are asked over HTTP"},

	{"pkg/auth", edge, "who is calling"},
	{"pkg/client", edge, "the API from its callers' side, in the words of the domain"},
	{"pkg/httpapi", edge, "the manners of the API: strict JSON, problems, paging"},
	{"pkg/serve", edge, "the host of functions"},
	{"pkg/telemetry", edge, "logs, metrics, traces, secrets that stay secret"},

	{"eventing", events, "the catalogue, codec, relay and local broker"},

	{"pkg/database", wiring, "the store RAE_STORE names"},
	{"pkg/inference", wiring, "the embedder, the reranker and the language model that RAE_EMBED_*, RAE_RERANK_* and RAE_LLM_* name, behind a meter"},

	{"functions/budget", function, ""},
	{"functions/embed", function, ""},
	{"functions/reflect", function, ""},
	{"functions/rerank", function, ""},
	{"functions/search", function, ""},
	{"functions/store", function, ""},

	{".", engine, "the engine, and what func builds"},

	{"functions/cmd/budget", program, ""},
	{"functions/cmd/embed", program, ""},
	{"functions/cmd/reflect", program, ""},
	{"functions/cmd/rerank", program, ""},
	{"functions/cmd/search", program, ""},
	{"functions/cmd/store", program, ""},
	{"functions/cmd/rae", console, "serve, import, export, search, eval and the rest"},
}

// besides are the arrows the rings don't have; who has one may test with it. One that nobody uses fails.
var besides = []struct{ from, to, why string }{
	{"pkg/reflection", "pkg/budget", "a reflection tells what its model calls cost, in the unit budgets are counted in"},
	{"pkg/embed", "pkg/job", "embedding a whole scope anew is long work: its steps are a job's"},
	{"pkg/auth", "pkg/httpapi", "a refused credential is a problem like any other"},
	{"pkg/auth", "pkg/telemetry", "keys are Secrets"},
	{"pkg/client", "pkg/httpapi", "problems are read back by the table that wrote them"},
	{"pkg/serve", "pkg/auth", "the host puts the credential check before every function"},
	{"pkg/serve", "pkg/httpapi", "the host makes the API functions register with"},
	{"pkg/serve", "pkg/telemetry", "the host makes the logger, the registry and the trace of a request"},
	{"pkg/serve/limittest", "pkg/serve", "the one port an edge owns; who fills it does so without knowing its name"},
	{"eventing", "pkg/telemetry", "a consumer's work goes on in the trace, and under the tenant, of its event"},
	{"functions/cmd/rae", "pkg/sqlite", "rae migrate brings a file up to date without opening an engine on it"},
	{"functions/cmd/rae", "pkg/postgres", "rae migrate brings a database up to date as its owner, which the engine is not"},
}

// libraries says which packages of other modules are linked by whom; a library in no row fails. So do the packages of
// the standard library that open a door to the outside.
var libraries = []struct {
	prefix string
	by     []string // packages, or folders ending in "/"
	why    string
}{
	{"net/http", []string{"pkg/auth", "pkg/client", "pkg/httpapi", "pkg/provider", "pkg/provider/providertest", "pkg/serve", "eventing", "functions/", "."},
		"HTTP is spoken at the edges, and to providers in one place; a capability that knows it cannot be called by event"},
	{"database/sql", []string{"pkg/sqlite"}, "SQL stays behind the stores"},
	{"os/exec", []string{"pkg/servicetest"}, "RAE starts no programs; its tests start the services it stands on"},
	{"unsafe", nil, "no memory is read but by its type"},
	{"plugin", nil, "what runs is what was built"},
	{"log", nil, "log/slog, from the Runtime a function was given"},
	{"expvar", nil, "metrics are Prometheus', on the host's registry"},
	{"net/http/pprof", nil, "it registers itself with everything that serves http.DefaultServeMux"},
	{"net/http/httptest", []string{"pkg/provider/providertest"}, "for tests and suites"},
	{"testing", []string{"pkg/backup/backuptest", "pkg/budget/budgettest", "pkg/contract", "pkg/embed/embedtest", "pkg/job/jobtest", "pkg/knowledge/knowledgetest", "pkg/memory/memorytest", "pkg/outbox/outboxtest", "pkg/provider/providertest", "pkg/qdrant/qdranttest", "pkg/reflection/reflectiontest", "pkg/rerank/reranktest", "pkg/search/cachetest", "pkg/search/searchtest", "pkg/serve/limittest", "pkg/servicetest"},
		"for tests and suites"},

	{"github.com/blevesearch/snowballstem", []string{"pkg/text"}, "one stemmer, or an index and its queries disagree"},
	{"github.com/cloudevents/sdk-go/v2", []string{"eventing"}, "only eventing knows how an event looks on the wire"},
	{"github.com/danielgtaylor/huma/v2", []string{"pkg/httpapi", "pkg/serve", "functions/budget", "functions/embed", "functions/reflect", "functions/rerank", "functions/search", "functions/store", "."},
		"routes are registered by functions, through httpapi"},
	{"github.com/go-json-experiment/json", []string{"pkg/httpapi", "pkg/ingest", "eventing"}, "strict JSON where it comes in: bodies, import lines, events"},
	{"github.com/golang-jwt/jwt/v5", []string{"pkg/auth"}, "tokens are read in one place"},
	{"github.com/google/uuid", []string{"pkg/knowledge", "pkg/memory", "pkg/qdrant", "pkg/qdrant/qdranttest", "pkg/reflection", "pkg/relevance", "pkg/serve"}, "ids of memories, facts, reflections, entities and requests"},
	{"github.com/hashicorp/golang-lru/v2", []string{"pkg/embed", "pkg/search", "pkg/serve"}, "answers kept for a while"},
	{"github.com/jackc/pgx/v5", []string{"pkg/postgres", "pkg/servicetest"}, "a product is known to its adapter alone; a test's database is made, and a server asked whether it is ready, over its own wire"},
	{"github.com/kelseyhightower/envconfig", []string{"pkg/serve"}, "serve.Load is the one way settings are read"},
	{"github.com/pressly/goose/v3", []string{"pkg/postgres", "pkg/sqlite"}, "migrations belong to the store they migrate"},
	{"github.com/prometheus/client_golang", []string{"eventing", "functions/budget", "functions/search", "pkg/redis", "pkg/serve", "pkg/telemetry"}, "what is counted is counted where it happens outside the domain"},
	{"github.com/redis/go-redis/v9", []string{"pkg/redis", "pkg/servicetest"}, "a test's database is claimed, and a server asked whether it is ready, over its own wire"},
	{"github.com/qdrant/go-client", []string{"pkg/qdrant", "pkg/qdrant/qdranttest"}, "a product is known to its adapter alone; with gRPC it is the heaviest client there is"},
	{"github.com/go-redis/redis_rate/v10", []string{"pkg/redis"}, "the cell rate algorithm as a script"},
	{"github.com/sony/gobreaker/v2", []string{"pkg/qdrant", "pkg/redis"}, "what fails is left alone for a while"},
	{"github.com/schollz/progressbar/v3", []string{"functions/cmd/rae"}, "only a person at a terminal sees progress"},
	{"github.com/spf13/cobra", []string{"functions/cmd/rae"}, "only the command line has commands"},
	{"github.com/spf13/pflag", []string{"functions/cmd/rae"}, "and flags"},
	{"golang.org/x/sync/singleflight", []string{"pkg/embed"}, "many who want one vector are one question"},
	{"golang.org/x/time/rate", []string{"pkg/serve"}, "how often a tenant has asked this process"},
	{"golang.org/x/term", []string{"functions/cmd/rae"}, "is a person watching?"},
	{"golang.org/x/text", []string{"pkg/onnx", "pkg/text"}, "Unicode forms: of words, and of what a model's tokenizer reads"},
	{"google.golang.org/grpc", []string{"pkg/qdrant", "pkg/qdrant/qdranttest"}, "Qdrant speaks it; nothing else does"},
	{"google.golang.org/protobuf", []string{"pkg/qdrant/qdranttest"}, "copies of messages"},
	{"modernc.org/sqlite", []string{"pkg/sqlite"}, "a product is known to its adapter alone"},
	{"pgregory.net/rapid", []string{"pkg/budget/budgettest", "pkg/memory/memorytest", "pkg/search/searchtest"}, "suites play random histories"},
}

// names says where a thing of the standard library or of a linked one may be said; "*" ends a prefix.
var names = []struct {
	of, name string
	by       []string
	why      string
}{
	{"net/http", "Status*", []string{"pkg/httpapi", "pkg/provider", "pkg/serve", "eventing", "functions/", "."},
		"errors have kinds; httpapi and eventing each hold the one table that turns kinds into statuses, provider the one that turns others' statuses into kinds"},
	{"net/http", "DefaultClient", nil, "a global anybody can change"},
	{"net/http", "DefaultServeMux", nil, "a global anybody can change"},
	{"net/http", "DefaultTransport", []string{"pkg/client"}, "a global anybody can change; the client copies its proxy and its deadlines"},
	{"net/http", "Handle", nil, "it writes to http.DefaultServeMux"},
	{"net/http", "HandleFunc", nil, "it writes to http.DefaultServeMux"},
	{"net/http", "ListenAndServe*", nil, "a server without deadlines"},
	{"net/http", "Get", nil, "a client without a deadline"},
	{"net/http", "Post*", nil, "a client without a deadline"},
	{"os", "Getenv", []string{"pkg/servicetest"}, "serve.Load reads settings: typed, bounded, refused in one line; which servers tests use is no setting of RAE"},
	{"os", "LookupEnv", []string{"pkg/contract", "pkg/serve", "functions/cmd/rae"}, "serve.Load reads settings; the command line hands the environment down; suites are told where to report"},
	{"os", "Environ", []string{"pkg/servicetest"}, "serve.Load reads settings; what fetches a server for tests needs the way to its mirror"},
	{"os", "Exit", []string{"pkg/serve", "functions/cmd/rae", "pkg/servicetest"}, "a program ends in its main; a test binary in the Main that ends its servers"},
	{"os/signal", "Notify*", []string{"pkg/serve"}, "draining is the host's"},
	{"log/slog", "SetDefault", nil, "a logger is given, not set"},
	{module + "/pkg/provider", "New", []string{"pkg/inference"}, "who has a client of a provider can spend: inference puts the meter before it"},
	{"time", "Sleep", nil, "wait on a timer and the context"},
	{"github.com/prometheus/client_golang/prometheus", "Default*", nil, "metrics are registered with the Runtime's registry"},
	{"github.com/prometheus/client_golang/prometheus", "MustRegister", nil, "metrics are registered with the Runtime's registry"},
	{"github.com/prometheus/client_golang/prometheus/promauto", "*", nil, "metrics are registered with the Runtime's registry"},
}

func ringOf(path string) ring {
	for _, p := range packages {
		if p.path == path {
			return p.ring
		}
	}
	return ""
}

func TestLayersNameEveryPackageOnce(t *testing.T) {
	t.Parallel()
	var have, want []string
	for _, p := range sources(t) {
		have = append(have, p.path)
	}
	for _, p := range packages {
		want = append(want, p.path)
	}
	for _, path := range have {
		if !slices.Contains(want, path) {
			t.Errorf("%s is in no ring: say in layering_test.go what it holds", path)
		}
	}
	slices.Sort(want)
	for i, path := range want {
		if !slices.Contains(have, path) {
			t.Errorf("layering_test.go knows %s, which is gone", path)
		}
		if i > 0 && path == want[i-1] {
			t.Errorf("layering_test.go knows %s twice", path)
		}
	}
}

func TestLayersImportInwards(t *testing.T) {
	t.Parallel()
	used := map[[2]string]bool{}
	for _, p := range sources(t) {
		for _, row := range rings {
			if row.name != ringOf(p.path) {
				continue
			}
			for _, to := range ownImports(p.path, p.Imports) {
				if i := slices.IndexFunc(besides, func(b struct{ from, to, why string }) bool { return b.from == p.path && b.to == to }); i >= 0 {
					used[[2]string{p.path, to}] = true
				} else if !slices.Contains(row.may, ringOf(to)) {
					t.Errorf("%s (%s) imports %s (%s): %s", p.path, row.name, to, ringOf(to), row.why)
				}
			}
			if row.name == engine || row.name == edge || row.name == console {
				continue // what stands outermost may test all it stands on; edges test each other
			}
			for _, to := range ownImports(p.path, slices.Concat(p.TestImports, p.XTestImports)) {
				if to != p.path && !used[[2]string{p.path, to}] && !slices.Contains(slices.Concat(row.may, row.tests), ringOf(to)) {
					t.Errorf("the tests of %s (%s) import %s (%s): %s", p.path, row.name, to, ringOf(to), row.why)
				}
			}
		}
	}
	for _, b := range besides {
		if !used[[2]string{b.from, b.to}] {
			t.Errorf("%s no longer imports %s: take the row out of layering_test.go", b.from, b.to)
		}
	}
}

// ownImports are the imports that lie within this module, as folders.
func ownImports(path string, imports []string) []string {
	var own []string
	for _, i := range imports {
		if to := within(i); (i == module || to != i) && !slices.Contains(own, to) {
			own = append(own, to)
		}
	}
	return own
}

func TestLayersProgramsAreOneLine(t *testing.T) {
	t.Parallel()
	for _, p := range sources(t) {
		if ringOf(p.path) != program {
			continue
		}
		name := strings.TrimPrefix(p.path, "functions/cmd/")
		if got, want := p.Imports, []string{module + "/functions/" + name, module + "/pkg/serve"}; !slices.Equal(got, want) {
			t.Errorf("%s imports %v, want %v", p.path, got, want)
		}
		for _, file := range p.files {
			for _, d := range file.Decls {
				if main, ok := d.(*ast.FuncDecl); ok && (main.Name.Name != "main" || len(main.Body.List) != 1) {
					t.Errorf("%s: a main is serve.Main(%q, %s.Open) and nothing else", at(d.Pos()), name, name)
				}
			}
		}
	}
}

func TestLayersLinkLibrariesWhereTheyBelong(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range sources(t) {
		for _, imported := range p.Imports {
			if imported == module || strings.HasPrefix(imported, module+"/") {
				continue
			}
			row := -1
			for i, library := range libraries {
				exact := imported == library.prefix
				inside := strings.HasPrefix(imported, library.prefix+"/") && library.prefix != "log" && library.prefix != "testing" && library.prefix != "net/http"
				if exact || inside {
					row = i
				}
			}
			if row < 0 {
				if host, _, _ := strings.Cut(imported, "/"); strings.Contains(host, ".") {
					t.Errorf("%s imports %s, which has no row in layering_test.go: who may link it, and why?", p.path, imported)
				}
				continue
			}
			library := libraries[row]
			if !allowed(p.path, library.by) {
				t.Errorf("%s imports %s: %s", p.path, imported, library.why)
			}
			for _, by := range library.by {
				used[library.prefix+" by "+by] = used[library.prefix+" by "+by] || allowed(p.path, []string{by})
			}
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo: programs are built without a C compiler", p.path)
		}
	}
	for _, library := range libraries {
		for _, by := range library.by {
			if !used[library.prefix+" by "+by] {
				t.Errorf("%s does not import %s: take it out of the row in layering_test.go", by, library.prefix)
			}
		}
	}
}

// TestLayersLinkWhatTagsAdd holds what builds with a tag link besides, literally. All else is in the tables above.
func TestLayersLinkWhatTagsAdd(t *testing.T) {
	t.Parallel()
	const tag = "onnx"
	out, err := golist([]string{"CGO_ENABLED=1"}, "-tags="+tag, "-json=ImportPath,Imports,CgoFiles", "./...")
	if err != nil {
		t.Fatal(err)
	}
	added := map[string][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var with source
		if err := decoder.Decode(&with); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, p := range sources(t) {
			if p.ImportPath != with.ImportPath {
				continue
			}
			for _, imported := range slices.Concat(with.Imports, with.CgoFiles) {
				if host, _, _ := strings.Cut(imported, "/"); strings.Contains(host, ".") && !slices.Contains(p.Imports, imported) {
					added[p.path] = append(added[p.path], imported)
				}
			}
		}
	}
	// Its binding to the C library is the one that opens the library by a path, so that it need not be there to build.
	want := map[string][]string{"pkg/onnx": {"github.com/yalue/onnxruntime_go"}}
	if !maps.EqualFunc(added, want, slices.Equal) {
		t.Errorf("with the tag %s packages link besides:\ngot  %v\nwant %v", tag, added, want)
	}
}

// allowed tells whether a package is in the list, itself or by a folder.
func allowed(path string, by []string) bool {
	return slices.ContainsFunc(by, func(b string) bool {
		return path == b || strings.HasSuffix(b, "/") && strings.HasPrefix(path, b)
	})
}

func TestLayersSayNamesWhereTheyBelong(t *testing.T) {
	t.Parallel()
	for _, p := range sources(t) {
		for identifier, object := range p.info.Uses {
			if object.Pkg() == nil || object.Parent() != object.Pkg().Scope() {
				continue // a method, a field or something local
			}
			for _, rule := range names {
				prefix, wild := strings.CutSuffix(rule.name, "*")
				if object.Pkg().Path() != rule.of || object.Name() != prefix && (!wild || !strings.HasPrefix(object.Name(), prefix)) {
					continue
				}
				if !allowed(p.path, rule.by) {
					t.Errorf("%s: %s.%s: %s", at(identifier.Pos()), object.Pkg().Name(), object.Name(), rule.why)
				}
			}
		}
	}
}

// stateful are types that a package value must not hold, directly or by pointer: what works with the outside or
// changes while the program runs is made in Open or New and handed down.
var stateful = []string{
	"net/http.Client", "net/http.Transport", "net/http.ServeMux", "net/http.Server", "database/sql.DB", "log/slog.Logger",
	"sync.Mutex", "sync.RWMutex", "sync.Map", "sync.WaitGroup", "time.Timer", "time.Ticker", "os.File", "math/rand.Rand", "math/rand/v2.Rand",
}

// remembering are the package values that change all the same. One that doesn't fails.
var remembering = []struct{ path, name, why string }{
	{"pkg/servicetest", "shared", "the servers of a test binary are the binary's: go test has no other place that the tests of a package share"},
}

func TestLayersHoldNoStateInPackages(t *testing.T) {
	t.Parallel()
	changed := map[string]bool{}
	defer func() {
		for _, r := range remembering {
			if !changed[r.path+"."+r.name] {
				t.Errorf("%s.%s does not change: take the row out of layering_test.go", r.path, r.name)
			}
		}
	}()
	for _, p := range sources(t) {
		for identifier, object := range p.info.Defs {
			switch o := object.(type) {
			case *types.Func:
				if o.Name() == "init" && o.Signature().Recv() == nil {
					t.Errorf("%s: init runs behind everybody's back: wiring happens in Open, in sight", at(identifier.Pos()))
				}
			case *types.Var:
				if o.Parent() != p.types.Scope() || o.Name() == "_" {
					continue
				}
				if kind := changing(o.Type()); kind != "" {
					t.Errorf("%s: package value %s holds a %s: make it in Open or New and hand it down", at(identifier.Pos()), o.Name(), kind)
				}
			}
		}
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				for _, to := range written(n) {
					if v, ok := p.info.Uses[p.root(to)].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
						changed[p.path+"."+v.Name()] = true
						if !slices.ContainsFunc(remembering, func(r struct{ path, name, why string }) bool { return r.path == p.path && r.name == v.Name() }) {
							t.Errorf("%s: %s.%s is changed while the program runs: put it on a struct", at(n.Pos()), v.Pkg().Name(), v.Name())
						}
					}
				}
				return true
			})
		}
	}
}

// changing names what makes a type stateful, "" when nothing does.
func changing(of types.Type) string {
	if pointer, ok := of.Underlying().(*types.Pointer); ok {
		of = pointer.Elem()
	}
	if named, ok := of.(*types.Named); ok && named.Obj().Pkg() != nil {
		name := named.Obj().Pkg().Path() + "." + named.Obj().Name()
		if slices.Contains(stateful, name) || strings.HasPrefix(name, "sync/atomic.") || strings.HasPrefix(name, "github.com/prometheus/client_golang/") {
			return name
		}
	}
	if _, ok := of.Underlying().(*types.Chan); ok {
		return "channel"
	}
	return ""
}

// written are the expressions a statement assigns to.
func written(n ast.Node) []ast.Expr {
	switch s := n.(type) {
	case *ast.AssignStmt:
		if s.Tok != token.DEFINE {
			return s.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{s.X}
	case *ast.RangeStmt:
		if s.Tok == token.ASSIGN {
			return []ast.Expr{s.Key, s.Value}
		}
	}
	return nil
}

// root is what an expression reaches into: the variable at its left end, nil when there is none.
func (p *source) root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			if left, ok := x.X.(*ast.Ident); ok {
				if _, ok := p.info.Uses[left].(*types.PkgName); ok {
					return x.Sel
				}
			}
			e = x.X
		default:
			return nil
		}
	}
}

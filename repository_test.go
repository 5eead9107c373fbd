package rae_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/rae-memory/rae"

// source is a package of the root module as `go list` tells it, parsed and checked. Its tests are only listed.
type source struct {
	ImportPath, Dir, Name, Export                string
	Imports, TestImports, XTestImports           []string
	GoFiles, TestGoFiles, XTestGoFiles, CgoFiles []string

	path  string // within the module; "." is the root
	files []*ast.File
	types *types.Package
	info  types.Info
}

// tree is the root module, loaded once for all tests that read it.
var tree = sync.OnceValues(loadTree)

var positions = token.NewFileSet()

func sources(t *testing.T) []*source {
	t.Helper()
	packages, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// golist runs `go list` without cgo, as the programs are built, and with more settings of the environment.
func golist(env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = slices.Concat(os.Environ(), []string{"CGO_ENABLED=0"}, env)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("go list %s: %s", strings.Join(args, " "), failed.Stderr)
	}
	return out, err
}

func loadTree() ([]*source, error) {
	out, err := golist(nil, "-deps", "-export", "-json=ImportPath,Dir,Name,Export,Imports,TestImports,XTestImports,GoFiles,TestGoFiles,XTestGoFiles,CgoFiles", "./...")
	if err != nil {
		return nil, err
	}
	var own []*source
	exports := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(source)
		if err := decoder.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/") {
			p.path = within(p.ImportPath)
			own = append(own, p)
		}
	}
	imports := importer.ForCompiler(positions, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range own {
		if err := p.check(imports); err != nil {
			return nil, err
		}
	}
	return own, nil
}

func (p *source) check(imports types.Importer) (err error) {
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(positions, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p.files = append(p.files, file)
	}
	p.info = types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: imports}
	p.types, err = config.Check(p.ImportPath, positions, p.files, &p.info)
	return err
}

// within is an import path as this module's folders say it.
func within(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// at is where a node stands, for a message that an editor can follow.
func at(pos token.Pos) string {
	p := positions.Position(pos)
	if working, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(working, p.Filename); err == nil {
			p.Filename = relative
		}
	}
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

func TestRepositoryPackagesSayWhatTheyAreOnce(t *testing.T) {
	t.Parallel()
	for _, p := range sources(t) {
		var documented []string
		for _, file := range p.files {
			if file.Doc != nil {
				documented = append(documented, at(file.Package))
			}
			want := "Package " + p.Name + " "
			if p.Name == "main" {
				want = "Command " + path.Base(p.path) + " "
			}
			if file.Doc != nil && !strings.HasPrefix(file.Doc.Text(), want) {
				t.Errorf("%s: the package comment must begin with %q", at(file.Package), want)
			}
		}
		if len(documented) != 1 {
			t.Errorf("%s has %d package comments, want one: %s", p.path, len(documented), strings.Join(documented, " "))
		}
	}
}

// obvious are methods whose comment the interface that asks for them has already written.
var obvious = []string{
	"Error", "String", "Unwrap", "Is", "As", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "LogValue", "GoString",
	"FaultKind", "PublicMessage", // fault.Classified
	"GetStatus", "GetHeaders", "ContentType", // what huma asks of an error
}

func TestRepositoryExportedNamesAreExplained(t *testing.T) {
	t.Parallel()
	for _, p := range sources(t) {
		if p.Name == "main" {
			continue
		}
		for _, file := range p.files {
			for _, declaration := range file.Decls {
				for _, name := range unexplained(declaration) {
					t.Errorf("%s: %s has no comment", at(name.Pos()), name.Name)
				}
			}
		}
	}
}

// unexplained returns the exported names a declaration makes without a comment of their own or of their group. A value
// of an enumeration is explained by its type.
func unexplained(declaration ast.Decl) []*ast.Ident {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || receiver(d).IsExported() && !slices.Contains(obvious, d.Name.Name)) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var names []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Comment == nil && d.Doc == nil {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil && d.Doc == nil && (d.Tok != token.CONST || s.Type == nil) {
					names = append(names, s.Names...)
				}
			}
		}
		return slices.DeleteFunc(names, func(name *ast.Ident) bool { return !name.IsExported() })
	}
	return nil
}

func receiver(d *ast.FuncDecl) *ast.Ident {
	of := d.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
		case *ast.IndexExpr:
			of = t.X
		case *ast.IndexListExpr:
			of = t.X
		case *ast.Ident:
			return t
		default:
			return ast.NewIdent("_")
		}
	}
}

func TestRepositoryTestsSeeAPackageAsItsCallersDo(t *testing.T) {
	t.Parallel()
	for _, p := range sources(t) {
		for _, name := range p.TestGoFiles {
			if name != "export_test.go" && p.Name != "main" {
				t.Errorf("%s/%s is of package %s; a test is of package %s_test, and what it needs to reach is in export_test.go", p.path, name, p.Name, p.Name)
			}
		}
	}
}

// ours calls visit with every file of the repository that somebody wrote, slash-separated, those of further modules
// included.
func ours(t *testing.T, visit func(name string, text []byte)) {
	t.Helper()
	ignored := []string{".git", "bin", "data", "test/.cache"}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if slices.Contains(ignored, name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".prof") {
			return nil
		}
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a test's own file, gone again
		}
		if err == nil {
			visit(name, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRepositoryFilesHaveOneSubject(t *testing.T) {
	t.Parallel()
	const most = 600 // lines; a longer file holds two subjects
	drawers := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "types", "models", "interfaces", "constants"}
	ours(t, func(name string, text []byte) {
		if lines := bytes.Count(text, []byte("\n")); strings.HasSuffix(name, ".go") && lines > most {
			t.Errorf("%s has %d lines, at most %d", name, lines, most)
		}
		if strings.Contains(name, "testdata/") {
			return // its names are the cases'
		}
		for part := range strings.SplitSeq(name, "/") {
			if stem, _, _ := strings.Cut(strings.TrimSuffix(part, "_test.go"), "."); slices.Contains(drawers, stem) {
				t.Errorf("%s: %q names a drawer; name what is in it", name, stem)
			}
		}
	})
}

// unwelcome is what no file may say, and why. The patterns are split, so that they don't find themselves.
var unwelcome = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "do it, or write an issue"},
	{regexp.MustCompile(`\b(t|b|f|tb)\.(Sk` + `ip|Sk` + `ipf|Sk` + `ipNow)\(`), "a test that may be left out proves nothing"},
	{regexp.MustCompile(`(^|[\s"'=(` + "`" + `])/(ro` + `ot|ho` + `me/\w+|Us` + `ers/\w+|wo` + `rk)/`), "a path of one machine"},
	{regexp.MustCompile(`https?://(pro` + `xy|su` + `m|regis` + `try|deb|security|repo1?|index|files)\.[a-z0-9.-]+`), "the host of a package registry"},
	{regexp.MustCompile(`(un` + `pkg\.com|js` + `delivr\.net|cdn` + `js\.cloudflare\.com)`), "what is served must work offline"},
}

func TestRepositoryFilesSayNothingUnwelcome(t *testing.T) {
	t.Parallel()
	ours(t, func(name string, text []byte) {
		if path.Base(name) == "go.sum" || bytes.IndexByte(text, 0) >= 0 {
			return
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			for _, rule := range unwelcome {
				if found := rule.pattern.Find(line); found != nil {
					t.Errorf("%s:%d: %s: %s", name, number, bytes.TrimSpace(found), rule.why)
				}
			}
		}
	})
}

var (
	fenced      = regexp.MustCompile("(?ms)^```[^\n]*\n(.*?)^```")
	inline      = regexp.MustCompile("`([^`\n]+)`")
	makeCommand = regexp.MustCompile(`(?m)(?:^|[$&;|(]\s*)\s*make((?:[ \t]+[a-z][a-z-]*)+)`)
	target      = regexp.MustCompile(`(?m)^([a-z][a-z-]*):.*## \S`)
)

func TestRepositoryPagesNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, match := range target.FindAllSubmatch(makefile, -1) {
		targets = append(targets, string(match[1]))
	}
	for _, page := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ".ci/run"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		code := [][]byte{text}
		if strings.HasSuffix(page, ".md") {
			code = nil
			for _, match := range fenced.FindAllSubmatch(text, -1) {
				code = append(code, match[1])
			}
			for _, match := range inline.FindAllSubmatch(fenced.ReplaceAll(text, nil), -1) {
				code = append(code, match[1])
			}
		}
		for _, match := range makeCommand.FindAllSubmatch(bytes.Join(code, []byte("\n")), -1) {
			for _, name := range strings.Fields(string(match[1])) {
				if !slices.Contains(targets, name) {
					t.Errorf("%s says make %s; the Makefile explains %s", page, name, strings.Join(targets, " "))
				}
			}
		}
	}
}

var (
	linked   = regexp.MustCompile(`\]\(([^)\s#:]+)(?:#[^)\s]*)?\)`)
	pageName = regexp.MustCompile(`\bdocs/[a-z0-9/_-]+\.(?:md|json)\b`)
)

// TestRepositoryPagesLinkToWhatIsThere also reads the pages that code and comments name.
func TestRepositoryPagesLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	ours(t, func(name string, text []byte) {
		var named []string
		switch path.Ext(name) {
		case ".md":
			for _, match := range linked.FindAllSubmatch(fenced.ReplaceAll(text, nil), -1) {
				named = append(named, path.Join(path.Dir(name), string(match[1])))
			}
		case ".go", ".yaml", ".sql":
			for _, match := range pageName.FindAll(text, -1) {
				named = append(named, string(match))
			}
		}
		for _, other := range named {
			if _, err := os.Stat(filepath.FromSlash(other)); err != nil {
				t.Errorf("%s names %s, which is not there", name, other)
			}
		}
	})
}

// TestRepositoryPagesSayThingsOnce finds what a merge left twice.
func TestRepositoryPagesSayThingsOnce(t *testing.T) {
	t.Parallel()
	const telling = 40 // characters from which a line is no coincidence
	ours(t, func(name string, text []byte) {
		if path.Ext(name) != ".md" || bytes.Contains(text, []byte("Do not edit it; run it again")) {
			return
		}
		first := map[string]int{}
		number, written := 0, false // by a generator, which no merge leaves twice
		for line := range strings.Lines(string(text)) {
			number++
			line = strings.TrimSpace(line)
			written = strings.HasPrefix(line, "<!-- begin ") || written && !strings.HasPrefix(line, "<!-- end ")
			if len(line) < telling || written {
				continue
			}
			if before := first[line]; before > 0 {
				t.Errorf("%s:%d says what stands in line %d: %s", name, number, before, line)
			}
			first[line] = number
		}
	})
}

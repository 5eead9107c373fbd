package manifests_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	serving "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/rae-memory/rae/test/manifests"
)

const root = "../.."

// generated holds a file to what the chart says now, or writes it.
func generated(t *testing.T, name string, want []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want) {
		return
	}
	if !*update {
		t.Errorf("%s is out of date: run make generate and read what changes", name)
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestConfigIsWhatTheChartRenders(t *testing.T) {
	t.Parallel()
	files, err := manifests.Config(chart)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		generated(t, "config/"+name, content)
	}
	there, err := filepath.Glob(filepath.Join(root, "config", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is of no template any more: remove it", path)
		}
	}
}

func TestPagesTellTheValuesAndTheCommands(t *testing.T) {
	t.Parallel()
	values, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := manifests.Table(values)
	if err != nil {
		t.Fatal(err)
	}
	page(t, "charts/rae-memory/README.md", "values", table)
	var commands strings.Builder
	commands.WriteString("```\n")
	for _, o := range render(t, []string{"values-ko.yaml"}, nil) {
		if o.APIVersion != "serving.knative.dev/v1" {
			continue
		}
		var service serving.Service
		unmarshal(t, o.YAML, &service)
		if commands.Len() > 4 {
			commands.WriteString("\n")
		}
		commands.WriteString(manifests.Apply(&service))
	}
	commands.WriteString("```\n")
	page(t, "docs/deploy.md", "kn", commands.String())
}

func page(t *testing.T, name, part, with string) {
	t.Helper()
	have, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	want, err := manifests.Between(string(have), part, with)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	generated(t, name, []byte(want))
}

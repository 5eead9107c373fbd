package manifests

import (
	"bytes"
	"path"
	"strings"
)

// Config is the chart rendered for people who apply manifests: the content of each file, by its name. What only Helm reads is
// left out, and its tests are.
func Config(chart string) (map[string][]byte, error) {
	objects, _, err := Render(Release{Chart: chart, Files: []string{chart + "/values-ko.yaml"}})
	if err != nil {
		return nil, err
	}
	files := map[string]*bytes.Buffer{}
	for _, o := range objects {
		if strings.Contains(o.Template, "/tests/") {
			continue
		}
		name := path.Base(o.Template)
		if files[name] == nil {
			files[name] = bytes.NewBufferString("# Rendered by make generate from charts/rae-memory; what to change is there.\n")
		}
		files[name].WriteString("---\n")
		for line := range strings.Lines(string(o.YAML)) {
			if strings.Contains(line, "helm.sh/") || strings.Contains(line, "managed-by: Helm") || strings.TrimSpace(line) == "" || strings.TrimSpace(line) == "---" {
				continue
			}
			files[name].WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	all := map[string][]byte{}
	for name, b := range files {
		all[name] = b.Bytes()
	}
	return all, nil
}

// Package manifests renders the chart and holds what comes of it to what Kubernetes and Knative say of it: their own types,
// defaults and validation. It is a module of its own, outside of go.work: what it builds with would change what the product
// builds with.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// Release is what the chart is rendered for.
type Release struct {
	Chart     string   // folder of the chart
	Namespace string   // "" = "rae"
	Files     []string // of values, the later ones over the earlier
	Values    map[string]any
}

// Object is one rendered document.
type Object struct {
	Template string // file of the chart
	Kind
	Name, Namespace string
	YAML            []byte
}

// Kind is apiVersion and kind.
type Kind struct{ APIVersion, Kind string }

func (o Object) String() string {
	return fmt.Sprintf("%s %s/%s (%s)", o.Kind.Kind, o.Namespace, o.Name, path.Base(o.Template))
}

// Render returns the objects of the release in the order of their templates. The notes are the text for whoever installs.
func Render(r Release) (objects []Object, notes string, err error) {
	chart, err := loader.Load(r.Chart)
	if err != nil {
		return nil, "", err
	}
	values := map[string]any{}
	for _, file := range r.Files {
		read, err := chartutil.ReadValuesFile(file)
		if err != nil {
			return nil, "", err
		}
		values = chartutil.CoalesceTables(read, values)
	}
	values = chartutil.CoalesceTables(r.Values, values)
	if r.Namespace == "" {
		r.Namespace = "rae"
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.34.4", Major: "1", Minor: "34"}
	told, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{
		Name: "rae", Namespace: r.Namespace, Revision: 1, IsInstall: true,
	}, capabilities)
	if err != nil {
		return nil, "", err
	}
	files, err := engine.Render(chart, told)
	if err != nil {
		return nil, "", err
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, "NOTES.txt") {
			notes = files[name]
			continue
		}
		documents, err := split(name, files[name])
		if err != nil {
			return nil, "", err
		}
		objects = append(objects, documents...)
	}
	return objects, notes, nil
}

func split(name, file string) (objects []Object, err error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(file)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"metadata"`
		}
		if err := sigsyaml.Unmarshal(document, &head); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", name, err, document)
		}
		if head.Kind == "" && head.APIVersion == "" { // nothing but comments
			continue
		}
		objects = append(objects, Object{
			Template: name, Kind: Kind{head.APIVersion, head.Kind}, Name: head.Metadata.Name, Namespace: head.Metadata.Namespace, YAML: document,
		})
	}
}

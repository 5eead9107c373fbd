package rae_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rae-memory/rae/eventing"
	budgetfn "github.com/rae-memory/rae/functions/budget"
	embedfn "github.com/rae-memory/rae/functions/embed"
	reflectfn "github.com/rae-memory/rae/functions/reflect"
	rerankfn "github.com/rae-memory/rae/functions/rerank"
	searchfn "github.com/rae-memory/rae/functions/search"
	storefn "github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/serve"
)

// configs are what each function reads of the environment.
var configs = map[string]any{
	"budget": budgetfn.Config{}, "embed": embedfn.Config{}, "reflect": reflectfn.Config{},
	"rerank": rerankfn.Config{}, "search": searchfn.Config{}, "store": storefn.Config{},
}

// deployment is func.yaml, as far as RAE uses it; another key fails to parse.
type deployment struct {
	SpecVersion string `yaml:"specVersion"`
	Name        string `yaml:"name"`
	Runtime     string `yaml:"runtime"`
	Invoke      string `yaml:"invoke"`
	Created     string `yaml:"created"`
	Run         struct {
		Volumes []struct {
			Claim struct {
				Name string `yaml:"claimName"`
			} `yaml:"persistentVolumeClaim"`
			Path string `yaml:"path"`
		} `yaml:"volumes"`
		Envs []struct {
			Name  string `yaml:"name"`
			Value string `yaml:"value"`
		} `yaml:"envs"`
	} `yaml:"run"`
	Deploy struct {
		HealthEndpoints struct {
			Liveness  string `yaml:"liveness"`
			Readiness string `yaml:"readiness"`
		} `yaml:"healthEndpoints"`
		Options struct {
			Scale struct {
				Min    int     `yaml:"min"`
				Max    int     `yaml:"max"`
				Metric string  `yaml:"metric"`
				Target float64 `yaml:"target"`
			} `yaml:"scale"`
			Resources struct {
				Requests struct {
					CPU    string `yaml:"cpu"`
					Memory string `yaml:"memory"`
				} `yaml:"requests"`
				Limits struct {
					CPU         string `yaml:"cpu"`
					Memory      string `yaml:"memory"`
					Concurrency int    `yaml:"concurrency"`
				} `yaml:"limits"`
			} `yaml:"resources"`
		} `yaml:"options"`
		Subscriptions []struct {
			Source  string            `yaml:"source"`
			Filters map[string]string `yaml:"filters"`
		} `yaml:"subscriptions"`
	} `yaml:"deploy"`
}

func readDeployment(t *testing.T, name string) deployment {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var d deployment
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// envs are the variables a func.yaml sets. Each is set once.
func (d deployment) envs(t *testing.T) map[string]string {
	t.Helper()
	set := map[string]string{}
	for _, env := range d.Run.Envs {
		if _, twice := set[env.Name]; twice {
			t.Errorf("%s is set twice", env.Name)
		}
		set[env.Name] = env.Value
	}
	return set
}

// variables are the names a Config reads, with their defaults.
func variables(t *testing.T, config any) map[string]string {
	t.Helper()
	read := map[string]string{}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(config)) {
		if field.Anonymous { // its fields are listed by themselves
			continue
		}
		name := field.Tag.Get("envconfig")
		if name == "" || field.Type.Kind() == reflect.Struct {
			t.Errorf("%T.%s: name its variable in full, in the tag envconfig", config, field.Name)
		}
		read[name] = field.Tag.Get("default")
	}
	return read
}

// common are what every func.yaml must say.
func (d deployment) common(t *testing.T, name string) {
	t.Helper()
	got := []string{d.SpecVersion, d.Name, d.Runtime, d.Invoke, d.Deploy.HealthEndpoints.Liveness, d.Deploy.HealthEndpoints.Readiness}
	want := []string{"0.36.0", name, "go", "http", "/health/live", "/health/ready"}
	if !slices.Equal(got, want) {
		t.Errorf("says %v, want %v", got, want)
	}
	if d.Created == "" {
		t.Error("created is missing, which func's schema requires")
	}
	options := d.Deploy.Options
	if options.Scale.Min != 0 || options.Scale.Max < 1 {
		t.Errorf("scales from %d to %d, want from 0", options.Scale.Min, options.Scale.Max)
	}
	if r := options.Resources; r.Requests.CPU == "" || r.Requests.Memory == "" || r.Limits.CPU == "" || r.Limits.Memory == "" {
		t.Error("requests and limits both name cpu and memory")
	}
}

func TestSettingsAreWhatFuncYAMLSays(t *testing.T) {
	t.Parallel()
	host := variables(t, serve.Config{})
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := readDeployment(t, filepath.Join("functions", name, "func.yaml"))
			d.common(t, "rae-"+name)
			set := d.envs(t)
			maps.DeleteFunc(set, func(variable, _ string) bool { _, ok := host[variable]; return ok }) // the host's are the deployment's to choose
			if read := variables(t, config); !maps.Equal(set, read) {
				t.Errorf("func.yaml sets %v\nConfig reads  %v", set, read)
			}
			if s, limit := d.Deploy.Options.Scale, d.Deploy.Options.Resources.Limits.Concurrency; s.Metric != "concurrency" || s.Target <= 0 || float64(limit) < s.Target {
				t.Errorf("scales by %s %v within a limit of %d; another instance must start before one is full", s.Metric, s.Target, limit)
			}
			var types []string
			for _, s := range d.Deploy.Subscriptions {
				if s.Source != "default" || len(s.Filters) != 1 {
					t.Errorf("subscription %v: each is to one type at the broker default", s)
				}
				types = append(types, s.Filters["type"])
			}
			slices.Sort(types)
			if want := eventing.Subscribed(name); !slices.Equal(types, want) {
				t.Errorf("func.yaml subscribes to %s\nthe catalogue to        %s", strings.Join(types, " "), strings.Join(want, " "))
			}
		})
	}
}

func TestSettingsOfTheEngineAreThoseOfItsFunctions(t *testing.T) {
	t.Parallel()
	d := readDeployment(t, "func.yaml")
	d.common(t, "rae")
	known := variables(t, serve.Config{})
	for _, config := range configs {
		maps.Copy(known, variables(t, config))
	}
	set := d.envs(t)
	for name := range set {
		if _, ok := known[name]; !ok {
			t.Errorf("func.yaml sets %s, which nobody reads", name)
		}
	}
	if v := d.Run.Volumes; len(v) != 1 || v[0].Claim.Name == "" || v[0].Path != set["RAE_DATA_DIR"] {
		t.Errorf("volumes %+v: the embedded store must outlive its pod", v)
	}
	if !strings.HasPrefix(set["RAE_MASTER_KEY"], "{{ secret:") {
		t.Error("a function asks for credentials and does not start without a secret to hold them against")
	}
	if len(d.Deploy.Subscriptions) > 0 {
		t.Error("the engine is its own broker and subscribes to nothing")
	}
	if d.Deploy.Options.Scale.Max != 1 {
		t.Errorf("scales to %d: a store in one file has one writer", d.Deploy.Options.Scale.Max)
	}
}

func TestSettingsShareDefaults(t *testing.T) {
	t.Parallel()
	first, owner := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		for variable, value := range variables(t, configs[name]) {
			if other, ok := first[variable]; ok && other != value {
				t.Errorf("%s is %q to %s and %q to %s", variable, value, name, other, owner[variable])
			}
			first[variable], owner[variable] = value, name
		}
	}
}

func TestSettingsListEveryFunction(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("functions/*/func.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if name := filepath.Base(filepath.Dir(folder)); configs[name] == nil {
			t.Errorf("functions/%s is not in configs", name)
		}
	}
	if len(folders) != len(configs) {
		t.Errorf("%d functions have a func.yaml, %d are known", len(folders), len(configs))
	}
}

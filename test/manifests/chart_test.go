package manifests_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	servingconfig "knative.dev/serving/pkg/apis/config"
	serving "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/rae-memory/rae/test/manifests"
)

var update = flag.Bool("update", false, "write config/ and the chart's README anew")

const chart = "../../charts/rae-memory"

// deployments are the ways of installing it that the chart describes, and one with everything on.
var deployments = []struct {
	name   string
	files  []string
	values map[string]any
	allow  map[string]string // of config-features, where it is not as Knative comes
}{
	{name: "dev", files: []string{"values-dev.yaml"}},
	{name: "production", files: []string{"values-production.yaml"}, allow: map[string]string{"kubernetes.podspec-topologyspreadconstraints": "enabled"}},
	{name: "managed", files: []string{"values-managed.yaml"}},
	{name: "ko", files: []string{"values-ko.yaml"}},
	{name: "everything", files: []string{"values-production.yaml"}, values: map[string]any{
		"imagePullSecrets": []any{"pull"},
		"extraEnv":         []any{map[string]any{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}},
		"secrets": map[string]any{"external": map[string]any{"store": map[string]any{
			"create": true, "kind": "SecretStore",
			"provider": map[string]any{"vault": map[string]any{"server": "https://vault.example.com", "path": "secret", "version": "v2"}},
		}}},
		"functions": map[string]any{
			"search": map[string]any{
				"scale":    map[string]any{"class": "hpa", "metric": "cpu", "target": 70, "min": 1, "max": 4},
				"revision": "v2",
				"traffic": []any{
					map[string]any{"revisionName": "rae-search-v1", "percent": 80},
					map[string]any{"revisionName": "rae-search-v2", "percent": 20, "tag": "canary"},
				},
			},
			"embed": map[string]any{
				"scale": map[string]any{"initial": 2, "activation": 2, "window": "30s", "scaleDownDelay": "1m", "targetBurstCapacity": 0},
			},
		},
		"pods": map[string]any{
			"nodeSelector": map[string]any{"disk": "ssd"},
			"tolerations":  []any{map[string]any{"key": "memory", "operator": "Exists"}},
		},
		"routing": map[string]any{
			"ingress": map[string]any{"enabled": true},
			"domains": map[string]any{"search": "search.example.com"},
			"tls":     map[string]any{"clusterIssuer": map[string]any{"create": true, "email": "ops@example.com"}},
		},
		"events": map[string]any{"deadLetters": map[string]any{"uri": "http://dead.example.com"}},
	}, allow: map[string]string{
		"kubernetes.podspec-topologyspreadconstraints": "enabled", "kubernetes.podspec-nodeselector": "enabled", "kubernetes.podspec-tolerations": "enabled",
	}},
}

func render(t *testing.T, files []string, values map[string]any) []manifests.Object {
	t.Helper()
	paths := make([]string, len(files))
	for i, file := range files {
		paths[i] = filepath.Join(chart, file)
	}
	objects, _, err := manifests.Render(manifests.Release{Chart: chart, Files: paths, Values: values})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) < 20 {
		t.Fatalf("%d objects: is this the whole chart?", len(objects))
	}
	return objects
}

func features(t *testing.T, allow map[string]string) servingconfig.Features {
	t.Helper()
	f, err := servingconfig.NewFeaturesConfigFromMap(allow)
	if err != nil {
		t.Fatal(err)
	}
	return *f
}

func TestEverythingRenderedIsWhatItsKindAllows(t *testing.T) {
	t.Parallel()
	for _, d := range deployments {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for _, o := range render(t, d.files, d.values) {
				typed, err := manifests.Check(o, features(t, d.allow))
				if err != nil {
					t.Errorf("%s: %v", o, err)
					continue
				}
				if key := o.Kind.Kind + " " + o.Namespace + "/" + o.Name; seen[key] {
					t.Errorf("%s is rendered twice", key)
				} else {
					seen[key] = true
				}
				restricted(t, o, typed)
			}
		})
	}
}

// restricted holds pods to the Pod Security Standard of that name.
func restricted(t *testing.T, o manifests.Object, typed any) {
	t.Helper()
	var meta metav1.ObjectMeta
	var spec core.PodSpec
	switch v := typed.(type) {
	case *serving.Service:
		meta, spec = v.Spec.Template.ObjectMeta, v.Spec.Template.Spec.PodSpec
	case *apps.StatefulSet:
		meta, spec = v.Spec.Template.ObjectMeta, v.Spec.Template.Spec
	case *batch.Job:
		meta, spec = v.Spec.Template.ObjectMeta, v.Spec.Template.Spec
	case *batch.CronJob:
		meta, spec = v.Spec.JobTemplate.Spec.Template.ObjectMeta, v.Spec.JobTemplate.Spec.Template.Spec
	case *core.Pod:
		meta, spec = v.ObjectMeta, v.Spec
	default:
		return
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	if result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &meta, &spec)); !result.Allowed {
		t.Errorf("%s: %s", o, result.ForbiddenDetail())
	}
	for _, c := range spec.Containers {
		if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%s: container %s may write to its image", o, c.Name)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: container %s has no requests or no limit of memory", o, c.Name)
		}
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Errorf("%s: has a token for the Kubernetes API, which nothing here asks", o)
	}
}

func TestTheChartPassesHelmLint(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"values-dev.yaml", "values-production.yaml", "values-managed.yaml"} {
		read, err := os.ReadFile(filepath.Join(chart, file))
		if err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		unmarshal(t, read, &values)
		for _, m := range lint.All(chart, values, "rae", true).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %s", file, m)
			}
		}
	}
}

// What cannot work is refused in a sentence, before anything is in the cluster.
func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		values map[string]any
		says   string
	}{
		{"no secret", map[string]any{}, "no secret: set secrets.existing"},
		{"two secrets", map[string]any{"secrets": map[string]any{"existing": "a", "external": map[string]any{"enabled": true}}}, "exclude each other"},
		{"min over max", with(map[string]any{"functions": map[string]any{"store": map[string]any{"scale": map[string]any{"min": 9, "max": 2}}}}), "min must not be more than max"},
		{"no host", with(map[string]any{"routing": map[string]any{"ingress": map[string]any{"enabled": true}}}), "routing.host is missing"},
		{"no gateway", with(map[string]any{"routing": map[string]any{"host": "h.example.com", "httpRoute": map[string]any{"enabled": true}}}), "parentRefs is missing"},
		{"store of one process", with(map[string]any{"env": map[string]any{"RAE_STORE": "sqlite"}}), "only postgres can be shared"},
		{"no database", map[string]any{"postgres": map[string]any{"enabled": false}, "secrets": map[string]any{"values": map[string]any{"jwt-secret": "x"}}}, "there is no database-url"},
		{"no credentials", map[string]any{"secrets": map[string]any{"values": map[string]any{"openai-api-key": "x"}}}, "neither jwt-secret nor api-master-key"},
		{"memory without a unit", with(map[string]any{"functions": map[string]any{"store": map[string]any{"resources": map[string]any{"limits": map[string]any{"memory": "1000000"}}}}}), "memory"},
		{"unknown key", with(map[string]any{"postgress": map[string]any{}}), "postgress"},
		{"unknown key of a function", with(map[string]any{"functions": map[string]any{"store": map[string]any{"scales": map[string]any{}}}}), "scales"},
		{"unknown function", with(map[string]any{"functions": map[string]any{"stroe": map[string]any{}}}), "stroe"},
		{"wrong type", with(map[string]any{"events": map[string]any{"delivery": map[string]any{"retry": "often"}}}), "retry"},
		{"a scale that is no number", with(map[string]any{"functions": map[string]any{"store": map[string]any{"scale": map[string]any{"min": "few"}}}}), "min"},
		{"below zero", with(map[string]any{"functions": map[string]any{"store": map[string]any{"scale": map[string]any{"min": -1}}}}), "min"},
		{"class that is none", with(map[string]any{"functionDefaults": map[string]any{"scale": map[string]any{"class": "vpa"}}}), "class"},
		{"timeout over Knative's", with(map[string]any{"functionDefaults": map[string]any{"timeoutSeconds": 4000}}), "timeoutSeconds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := manifests.Render(manifests.Release{Chart: chart, Values: c.values})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("says %v, want something of %q", err, c.says)
			}
		})
	}
}

// with adds the secret that every installation needs.
func with(values map[string]any) map[string]any {
	values["secrets"] = map[string]any{"existing": "rae"}
	return values
}

// A function is told what its func.yaml lists and nothing that it would refuse.
func TestFunctionsAreToldWhatTheyRead(t *testing.T) {
	t.Parallel()
	host := []string{"RAE_AUTH", "RAE_EVENTS_AUTH", "RAE_JWT_SECRET", "RAE_MASTER_KEY", "RAE_LOG_LEVEL", "GOMEMLIMIT", "HTTPS_PROXY"}
	for _, d := range deployments {
		for _, o := range render(t, d.files, d.values) {
			if o.Kind.Kind != "Service" || o.APIVersion != "serving.knative.dev/v1" {
				continue
			}
			var service serving.Service
			unmarshal(t, o.YAML, &service)
			read, err := os.ReadFile(filepath.Join("../../functions", strings.TrimPrefix(o.Name, "rae-"), "func.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var function struct {
				Run struct {
					Envs []struct{ Name, Value string } `json:"envs"`
				} `json:"run"`
			}
			unmarshal(t, read, &function)
			known := slices.Clone(host)
			for _, e := range function.Run.Envs {
				known = append(known, e.Name)
			}
			told := map[string]core.EnvVar{}
			for _, e := range service.Spec.Template.Spec.Containers[0].Env {
				if !slices.Contains(known, e.Name) {
					t.Errorf("%s, %s: is told %s, which it does not read", d.name, o.Name, e.Name)
				}
				if _, twice := told[e.Name]; twice {
					t.Errorf("%s, %s: is told %s twice", d.name, o.Name, e.Name)
				}
				told[e.Name] = e
			}
			for _, name := range []string{"RAE_POSTGRES_URL", "RAE_MASTER_KEY", "RAE_JWT_SECRET", "RAE_LLM_API_KEY"} {
				if e, there := told[name]; there && e.Value != "" {
					t.Errorf("%s, %s: %s stands in the manifest", d.name, o.Name, name)
				}
			}
			if told["RAE_AUTH"].Value != "required" {
				t.Errorf("%s, %s: lets everybody in", d.name, o.Name)
			}
		}
	}
}

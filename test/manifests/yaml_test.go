package manifests_test

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func unmarshal(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(b, into); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}

package manifests

import (
	"errors"
	"fmt"
)

// at returns what is at the path of keys, and an error where there is nothing.
func at(fields map[string]any, path ...string) (any, error) {
	var v any = fields
	for i, key := range path {
		m, ok := v.(map[string]any)
		if !ok || m[key] == nil {
			return nil, fmt.Errorf("%v is missing", path[:i+1])
		}
		v = m[key]
	}
	return v, nil
}

func need(fields map[string]any, paths ...[]string) error {
	var missing []error
	for _, path := range paths {
		if _, err := at(fields, path...); err != nil {
			missing = append(missing, err)
		}
	}
	return errors.Join(missing...)
}

func externalSecret(f map[string]any) error {
	if err := need(f, []string{"spec", "refreshInterval"}, []string{"spec", "secretStoreRef", "name"}, []string{"spec", "target", "name"}); err != nil {
		return err
	}
	data, err := at(f, "spec", "data")
	if err != nil {
		return err
	}
	list, ok := data.([]any)
	if !ok || len(list) == 0 {
		return errors.New("spec.data is no list of keys")
	}
	for i, entry := range list {
		m, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("spec.data[%d] is no object", i)
		}
		if err := need(m, []string{"secretKey"}, []string{"remoteRef", "key"}); err != nil {
			return fmt.Errorf("spec.data[%d]: %w", i, err)
		}
	}
	return nil
}

func secretStore(f map[string]any) error { return need(f, []string{"spec", "provider"}) }

func certificate(f map[string]any) error {
	return need(f, []string{"spec", "secretName"}, []string{"spec", "dnsNames"}, []string{"spec", "issuerRef", "name"}, []string{"spec", "issuerRef", "kind"})
}

func clusterIssuer(f map[string]any) error {
	return need(f, []string{"spec", "acme", "server"}, []string{"spec", "acme", "email"}, []string{"spec", "acme", "privateKeySecretRef", "name"}, []string{"spec", "acme", "solvers"})
}

package manifests

import (
	"context"
	"fmt"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	eventtypes "knative.dev/eventing/pkg/apis/eventing/v1beta3"
	sources "knative.dev/eventing/pkg/apis/sources/v1"
	networkingv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/apis"
	servingconfig "knative.dev/serving/pkg/apis/config"
	serving "knative.dev/serving/pkg/apis/serving/v1"
	mapping "knative.dev/serving/pkg/apis/serving/v1beta1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	grants "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/yaml"
)

// defaulted is what Knative's own types do when they are admitted.
type defaulted interface {
	apis.Defaultable
	apis.Validatable
}

// kinds are the types of what is checked. A kind that is not here and not in opaque fails.
var kinds = map[Kind]func() any{
	{"apps/v1", "StatefulSet"}:                                         func() any { return &apps.StatefulSet{} },
	{"batch/v1", "Job"}:                                                func() any { return &batch.Job{} },
	{"batch/v1", "CronJob"}:                                            func() any { return &batch.CronJob{} },
	{"v1", "ConfigMap"}:                                                func() any { return &core.ConfigMap{} },
	{"v1", "PersistentVolumeClaim"}:                                    func() any { return &core.PersistentVolumeClaim{} },
	{"v1", "Pod"}:                                                      func() any { return &core.Pod{} },
	{"v1", "Secret"}:                                                   func() any { return &core.Secret{} },
	{"v1", "Service"}:                                                  func() any { return &core.Service{} },
	{"v1", "ServiceAccount"}:                                           func() any { return &core.ServiceAccount{} },
	{"networking.k8s.io/v1", "Ingress"}:                                func() any { return &networking.Ingress{} },
	{"networking.k8s.io/v1", "NetworkPolicy"}:                          func() any { return &networking.NetworkPolicy{} },
	{"policy/v1", "PodDisruptionBudget"}:                               func() any { return &policy.PodDisruptionBudget{} },
	{"rbac.authorization.k8s.io/v1", "Role"}:                           func() any { return &rbac.Role{} },
	{"gateway.networking.k8s.io/v1", "HTTPRoute"}:                      func() any { return &gateway.HTTPRoute{} },
	{"gateway.networking.k8s.io/v1beta1", "ReferenceGrant"}:            func() any { return &grants.ReferenceGrant{} },
	{"monitoring.coreos.com/v1", "PodMonitor"}:                         func() any { return &monitoring.PodMonitor{} },
	{"monitoring.coreos.com/v1", "PrometheusRule"}:                     func() any { return &monitoring.PrometheusRule{} },
	{"serving.knative.dev/v1", "Service"}:                              func() any { return &serving.Service{} },
	{"serving.knative.dev/v1beta1", "DomainMapping"}:                   func() any { return &mapping.DomainMapping{} },
	{"networking.internal.knative.dev/v1alpha1", "ClusterDomainClaim"}: func() any { return &networkingv1alpha1.ClusterDomainClaim{} },
	{"eventing.knative.dev/v1", "Broker"}:                              func() any { return &eventing.Broker{} },
	{"eventing.knative.dev/v1", "Trigger"}:                             func() any { return &eventing.Trigger{} },
	{"eventing.knative.dev/v1beta3", "EventType"}:                      func() any { return &eventtypes.EventType{} },
	{"sources.knative.dev/v1", "PingSource"}:                           func() any { return &sources.PingSource{} },
	{"sources.knative.dev/v1", "SinkBinding"}:                          func() any { return &sources.SinkBinding{} },
}

// opaque are kinds of operators whose types would bring in the operators: these are held to their shape by hand (shapes.go).
var opaque = map[Kind]func(map[string]any) error{
	{"external-secrets.io/v1", "ExternalSecret"}:     externalSecret,
	{"external-secrets.io/v1", "SecretStore"}:        secretStore,
	{"external-secrets.io/v1", "ClusterSecretStore"}: secretStore,
	{"cert-manager.io/v1", "Certificate"}:            certificate,
	{"cert-manager.io/v1", "ClusterIssuer"}:          clusterIssuer,
}

// Check decodes the object into its own type, which no unknown key passes, gives it its defaults and validates it.
// With features a cluster's administrator has allowed what config-features leaves out.
func Check(o Object, features servingconfig.Features) (any, error) {
	if shape, ok := opaque[o.Kind]; ok {
		var fields map[string]any
		if err := yaml.UnmarshalStrict(o.YAML, &fields); err != nil {
			return nil, err
		}
		return fields, shape(fields)
	}
	newObject, ok := kinds[o.Kind]
	if !ok {
		return nil, fmt.Errorf("%s: nobody knows this kind", o.Kind)
	}
	typed := newObject()
	if err := yaml.UnmarshalStrict(o.YAML, typed); err != nil {
		return nil, err
	}
	d, ok := typed.(defaulted)
	if !ok {
		return typed, nil
	}
	defaults, err := servingconfig.NewDefaultsConfigFromMap(nil)
	if err != nil {
		return nil, err
	}
	ctx := servingconfig.ToContext(context.Background(), &servingconfig.Config{Defaults: defaults, Features: &features})
	ctx = apis.WithinCreate(ctx)
	d.SetDefaults(ctx)
	if err := d.Validate(ctx); err != nil {
		return nil, err
	}
	return typed, nil
}

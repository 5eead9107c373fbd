package manifests_test

import (
	_ "helm.sh/helm/v3/pkg/chart/loader"
	_ "helm.sh/helm/v3/pkg/chartutil"
	_ "helm.sh/helm/v3/pkg/engine"
	_ "helm.sh/helm/v3/pkg/lint"
	_ "k8s.io/api/core/v1"
	_ "k8s.io/pod-security-admission/policy"
	_ "knative.dev/eventing/pkg/apis/eventing/v1"
	_ "knative.dev/eventing/pkg/apis/sources/v1"
	_ "knative.dev/serving/pkg/apis/serving/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

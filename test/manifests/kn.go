package manifests

import (
	"fmt"
	"strings"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// Apply is the kn service apply line of a rendered function.
func Apply(service *servingv1.Service) string {
	var b strings.Builder
	template := service.Spec.Template
	c := template.Spec.Containers[0]
	part := func(format string, args ...any) { fmt.Fprintf(&b, " \\\n  "+format, args...) }
	fmt.Fprintf(&b, "kn service apply %s", service.Name)
	part("--image $REGISTRY/%s:$TAG --port h2c:8080", service.Name)
	note := func(name string) string { return template.Annotations["autoscaling.knative.dev/"+name] }
	part("--scale-min %s --scale-max %s --scale-metric %s --scale-target %s", note("min-scale"), note("max-scale"), note("metric"), note("target"))
	part("--concurrency-limit %d --timeout %d", *template.Spec.ContainerConcurrency, *template.Spec.TimeoutSeconds)
	part("--request cpu=%s,memory=%s --limit cpu=%s,memory=%s", c.Resources.Requests.Cpu(), c.Resources.Requests.Memory(), c.Resources.Limits.Cpu(), c.Resources.Limits.Memory())
	part("--probe-readiness http::8080:%s --probe-liveness http::8080:%s", c.ReadinessProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path)
	for _, e := range c.Env {
		switch {
		case e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && !*e.ValueFrom.SecretKeyRef.Optional:
			part("--env-value-from %s=secret:%s:%s", e.Name, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
		case e.ValueFrom != nil && (e.Name == "RAE_MASTER_KEY" || e.Name == "RAE_REDIS_URL"):
			part("--env-value-from %s=secret:%s:%s", e.Name, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
		case e.Value != "" && (e.Name == "RAE_STORE" || e.Name == "RAE_AUTH" || e.Name == "GOMEMLIMIT"):
			part("--env %s=%s", e.Name, e.Value)
		}
	}
	b.WriteString("\n")
	return b.String()
}

{{/* What cannot work is refused here, in a sentence. */}}

{{/* The entries of a map that have a value. */}}
{{- define "rae.given" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }}: {{ $value | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{- define "rae.check" -}}
{{- $v := .Values -}}
{{- $made := or $v.secrets.external.enabled (include "rae.secretValues" .) -}}
{{- if and (not $v.secrets.existing) (not $made) -}}
{{- fail "no secret: set secrets.existing, or secrets.external.enabled, or secrets.values for trying things out" -}}
{{- end -}}
{{- if and $v.secrets.existing $v.secrets.external.enabled -}}
{{- fail "secrets.existing and secrets.external.enabled exclude each other: which of them has the secret?" -}}
{{- end -}}
{{- if and (eq (toString $v.env.RAE_STORE) "postgres") (not $v.postgres.enabled) (not $v.secrets.existing) (not $v.secrets.external.enabled) (not (index $v.secrets.values "database-url")) -}}
{{- fail "postgres.enabled is false and there is no database-url in secrets.values" -}}
{{- end -}}
{{- if ne (toString $v.env.RAE_STORE) "postgres" -}}
{{- fail (printf "env.RAE_STORE is %q: functions share a store, and only postgres can be shared" (toString $v.env.RAE_STORE)) -}}
{{- end -}}
{{- if and (or $v.routing.httpRoute.enabled $v.routing.ingress.enabled) (not $v.routing.host) -}}
{{- fail "routing.host is missing: which host is the API to be served at?" -}}
{{- end -}}
{{- if and $v.routing.httpRoute.enabled (not $v.routing.httpRoute.parentRefs) -}}
{{- fail "routing.httpRoute.parentRefs is missing: which Gateway do the routes belong to?" -}}
{{- end -}}
{{- if and $v.routing.tls.clusterIssuer.create (not $v.routing.tls.clusterIssuer.email) -}}
{{- fail "routing.tls.clusterIssuer.email is missing: the issuer tells it when a certificate ends" -}}
{{- end -}}
{{- if and (eq (toString $v.env.RAE_AUTH) "required") (not $v.secrets.existing) (not $v.secrets.external.enabled) (not (index $v.secrets.values "jwt-secret")) (not (index $v.secrets.values "api-master-key")) -}}
{{- fail "env.RAE_AUTH is required, and there is neither jwt-secret nor api-master-key in secrets.values to hold credentials against" -}}
{{- end -}}
{{- end }}

{{/* Not empty where secrets.values has any value. */}}
{{- define "rae.secretValues" -}}
{{- range $key, $value := .Values.secrets.values }}{{- if $value }}x{{- end }}{{- end }}
{{- end }}

{{/* What pods have in common: who they run as, what they are told. */}}

{{/* The Pod Security Standard "restricted", and nothing to write to. */}}
{{- define "rae.container.security" -}}
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "rae.pull" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Which key of the secret holds the variable .variable, as YAML: key, and whether the function can do without. */}}
{{- define "rae.secretKey" -}}
{{- $env := .env -}}
{{- $fixed := dict "RAE_POSTGRES_URL" "database-url" "RAE_REDIS_URL" "redis-url" "RAE_QDRANT_API_KEY" "qdrant-api-key"
      "RAE_JWT_SECRET" "jwt-secret" "RAE_MASTER_KEY" "api-master-key" "RAE_BUDGET_API_KEY" "api-master-key" -}}
{{- $byProvider := dict "RAE_LLM_API_KEY" "RAE_LLM_PROVIDER" "RAE_EMBED_API_KEY" "RAE_EMBED_PROVIDER" "RAE_RERANK_API_KEY" "RAE_RERANK_PROVIDER" -}}
{{- $keys := dict "openai" "openai-api-key" "azure" "openai-api-key" "openrouter" "openai-api-key" "anthropic" "anthropic-api-key"
      "gemini" "gemini-api-key" "cohere" "cohere-api-key" "jina" "jina-api-key" "voyage" "voyage-api-key" -}}
{{- if hasKey $fixed .variable -}}
{{- index $fixed .variable -}}
{{- else if hasKey $byProvider .variable -}}
{{- index $keys (index $env (index $byProvider .variable) | default "" | toString) | default "" -}}
{{- end -}}
{{- end }}

{{/* The variables of the function .name: what its func.yaml lists, as values change it. */}}
{{- define "rae.env" -}}
{{- $root := .root -}}
{{- $file := .file -}}
{{- $settings := .settings -}}
{{- $name := include "rae.name" $root -}}
{{- $env := dict -}}
{{- range $file.run.envs }}{{- $_ := set $env .name (.value | toString) }}{{- end -}}
{{- $wired := dict "RAE_BUDGET_URL" (printf "http://%s-budget.%s.svc.cluster.local" $name $root.Release.Namespace) "RAE_QDRANT_URL" $root.Values.qdrant.url -}}
{{- if $root.Values.qdrant.enabled }}{{- $_ := set $wired "RAE_QDRANT_URL" (printf "grpc://%s-qdrant:6334" $name) }}{{- end -}}
{{- if ne (index (include "rae.settings" (dict "root" $root "name" "budget") | fromYaml) "enabled") true }}{{- $_ := unset $wired "RAE_BUDGET_URL" }}{{- end -}}
{{- range $key, $value := $wired }}{{- if hasKey $env $key }}{{- $_ := set $env $key $value }}{{- end }}{{- end -}}
{{- range $given := list $root.Values.env $settings.env }}
{{- range $key, $value := $given }}
{{- if and (ne (toString $value) "") (or (hasKey $env $key) (has $key (list "RAE_AUTH" "RAE_EVENTS_AUTH" "RAE_LOG_LEVEL" "RAE_REQUEST_TIMEOUT" "RAE_STREAM_TIMEOUT" "RAE_DRAIN_DELAY" "RAE_RATE_LIMIT" "RAE_RATE_BURST"))) }}{{- $_ := set $env $key (toString $value) }}{{- end }}
{{- end }}
{{- end -}}
{{- range $key := list "RAE_JWT_SECRET" "RAE_MASTER_KEY" }}{{- if not (hasKey $env $key) }}{{- $_ := set $env $key "" }}{{- end }}{{- end -}}
{{- $_ := unset $env "K_SINK" -}}
{{- if ne (index $env "RAE_STORE" | default "postgres") "sqlite" }}{{- $_ := unset $env "RAE_DATA_DIR" }}{{- end -}}
{{- range $key := keys $env | sortAlpha }}
{{- $secret := include "rae.secretKey" (dict "variable" $key "env" $env) }}
{{- if $secret }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef: {name: {{ include "rae.secret" $root }}, key: {{ $secret }}, optional: {{ ne $key "RAE_POSTGRES_URL" }}}
{{- else if ne (index $env $key) "" }}
- name: {{ $key }}
  value: {{ index $env $key | quote }}
{{- end }}
{{- end }}
- name: GOMEMLIMIT # nine tenths of what the pod may have: the garbage collector works harder before the kernel kills
  value: {{ include "rae.memoryLimit" .limit }}
{{- with $root.Values.secrets.rollout }}
- name: RAE_ROLLOUT
  value: {{ . | quote }}
{{- end }}
{{- range $root.Values.extraEnv }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- range $settings.extraEnv }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "rae.memoryLimit" -}}
{{- if hasSuffix "Gi" . -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Gi" . | int) 1024 9) 10) -}}
{{- else if hasSuffix "Mi" . -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Mi" . | int) 9) 10) -}}
{{- else -}}
{{- fail (printf "a memory limit is in Mi or Gi; this is %q" .) -}}
{{- end -}}
{{- end }}

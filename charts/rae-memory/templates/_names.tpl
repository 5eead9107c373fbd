{{/* Names and labels. */}}

{{- define "rae.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "rae.labels" -}}
app.kubernetes.io/name: rae-memory
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "rae.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "rae.name" .) -}}
{{- end }}

{{- define "rae.secret" -}}
{{- .Values.secrets.existing | default (printf "%s-secrets" (include "rae.name" .)) -}}
{{- end }}

{{/* The image called .name of this release: rae-store, …, or rae. With ko:// it is built from the program of that name. */}}
{{- define "rae.image" -}}
{{- $root := .root -}}
{{- if hasPrefix "ko://" $root.Values.image.repository -}}
{{- printf "%s/%s" $root.Values.image.repository (trimPrefix "rae-" .name) -}}
{{- else -}}
{{- printf "%s/%s:%s" $root.Values.image.repository .name ($root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* The names of the functions that are on, in order. */}}
{{- define "rae.functions" -}}
{{- range $name := list "store" "search" "embed" "rerank" "reflect" "budget" }}
{{- if (include "rae.settings" (dict "root" $ "name" $name) | fromYaml).enabled }}
- {{ $name }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the values say of the function .name. */}}
{{- define "rae.settings" -}}
{{- $own := index .root.Values.functions .name | default dict -}}
{{- mergeOverwrite (deepCopy .root.Values.functionDefaults) (deepCopy $own) | toYaml -}}
{{- end }}

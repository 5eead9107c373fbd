{{/* How an event is delivered, and where it ends when nobody could take it. */}}
{{- define "rae.delivery" -}}
{{- $d := .Values.events.delivery -}}
retry: {{ $d.retry }}
backoffPolicy: {{ $d.backoffPolicy }}
backoffDelay: {{ $d.backoffDelay }}
{{- with $d.timeout }}
timeout: {{ . }}
{{- end }}
deadLetterSink:
  {{- with .Values.events.deadLetters }}
  {{- if .uri }}
  uri: {{ .uri }}
  {{- else }}
  ref:
    {{- .ref | default (dict "apiVersion" "serving.knative.dev/v1" "kind" "Service" "name" (printf "%s-store" (include "rae.name" $))) | toYaml | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* How an event is delivered, and where it ends when nobody could take it. */}}
{{- define "rae.delivery" -}}
{{- $d := .Values.events.delivery -}}
retry: {{ $d.retry }}
backoffPolicy: {{ $d.backoffPolicy }}
backoffDelay: {{ $d.backoffDelay }}
{{- with $d.timeout }}
timeout: {{ . }}
{{- end }}
{{- with .Values.events.deadLetters }}
{{- if or .ref .uri }}
deadLetterSink:
  {{- with .ref }}
  ref:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .uri }}
  uri: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

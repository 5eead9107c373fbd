{{/*
Passwords of the stores of this chart. They are made once: an upgrade finds them in the Secret of the first installation.
Where nothing can be looked up (helm template) they are made anew each time.
*/}}
{{- define "rae.passwords" -}}
{{- if not (hasKey .Release "raePasswords") -}}
{{- $made := dict "postgres" (randAlphaNum 32) "app" (randAlphaNum 32) "redis" (randAlphaNum 32) -}}
{{- $kept := lookup "v1" "Secret" .Release.Namespace (printf "%s-stores" (include "rae.name" .)) -}}
{{- range $key, $value := $made }}
{{- $before := index (($kept).data | default dict) $key -}}
{{- if $before }}{{- $_ := set $made $key ($before | b64dec) }}{{- end -}}
{{- end -}}
{{- $_ := set .Release "raePasswords" $made -}}
{{- end -}}
{{- .Release.raePasswords | toYaml -}}
{{- end }}

{{/* Name of the Secret with the passwords of this chart's stores. */}}
{{- define "rae.stores" -}}
{{- .Values.postgres.existingSecret | default (printf "%s-stores" (include "rae.name" .)) -}}
{{- end }}

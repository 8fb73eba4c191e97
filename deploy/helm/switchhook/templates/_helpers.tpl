{{- define "switchhook.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "switchhook.selector" -}}
app.kubernetes.io/name: switchhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "switchhook.labels" -}}
{{ include "switchhook.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

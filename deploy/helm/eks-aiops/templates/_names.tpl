{{- define "aiops.name" -}}
{{- if contains "eks-aiops" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-eks-aiops" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "aiops.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "aiops.name" .) }}{{ else }}{{ required "serviceAccount.name: name the ServiceAccount that is there, or set serviceAccount.create" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "aiops.image" -}}
{{- $repository := required "image.repository: say where you pushed the image (docs/install.md, Container); there is no public one" .Values.image.repository }}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}{{ else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "aiops.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/part-of: eks-aiops
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "aiops.selector" . }}
{{- end }}

{{- define "aiops.selector" -}}
app.kubernetes.io/name: eks-aiops
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What serves: [gateway], or the servers. As JSON, since a template gives text. */}}
{{- define "aiops.served" -}}
{{- if eq .Values.mode "gateway" }}{{ list "gateway" | toJson }}{{ else }}{{ .Values.servers | toJson }}{{ end }}
{{- end }}

{{- define "aiops.listens" -}}{{ if .Values.auth.issuer }}yes{{ end }}{{- end }}

{{/* A kubelet asks the pod's address; what listens on loopback alone is asked from inside. */}}
{{- define "aiops.probe" -}}
{{- if include "aiops.listens" .root -}}
httpGet: {path: {{ .path }}, port: mcp}
{{- else -}}
exec:
  command: [eks-aiops, healthcheck, --path, {{ .path }}]
{{- end }}
{{- end }}

{{- define "aiops.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "aiops.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Environment of every container. */}}
{{- define "aiops.env" -}}
- {name: HOME, value: /tmp}
- {name: AIOPS_STATE_DIR, value: /var/lib/eks-aiops/state}
{{- with .Values.state.postgres }}
{{- if .existingSecret }}
- name: AIOPS_STATE_URL
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- if .Values.state.key.existingSecret }}
- {name: AIOPS_STATE_KEY_FILE, value: /run/eks-aiops/key/state.key}
{{- end }}
{{- range $name, $from := .Values.secretFiles }}
- {name: {{ $name | quote }}, value: {{ printf "/run/eks-aiops/%s" ($name | lower | replace "_" "-") | quote }}}
{{- end }}
{{- end }}

{{/* A Secret's file is root's and its group's; the key must be this user's alone (0600), so it is copied. */}}
{{- define "aiops.initContainers" -}}
{{- if .Values.state.key.existingSecret }}
initContainers:
- name: key
  image: {{ include "aiops.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [install, -m, "0600", /run/secret/state.key, /run/eks-aiops/key/state.key]
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  securityContext: {{- include "aiops.containerSecurity" . | nindent 4 }}
  volumeMounts:
  - {name: key-secret, mountPath: /run/secret, readOnly: true}
  - {name: key, mountPath: /run/eks-aiops/key}
{{- end }}
{{- end }}

{{- define "aiops.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: state, mountPath: /var/lib/eks-aiops}
{{- if .Values.state.key.existingSecret }}
- {name: key, mountPath: /run/eks-aiops/key, readOnly: true}
{{- end }}
{{- range $name, $from := .Values.secretFiles }}
{{- $file := $name | lower | replace "_" "-" }}
- {name: {{ $file }}, mountPath: /run/eks-aiops/{{ $file }}, subPath: file, readOnly: true}
{{- end }}
{{- end }}

{{- define "aiops.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
- name: state
  {{- if .Values.state.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .Values.state.existingClaim | quote }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .Values.state.sizeLimit }}}
  {{- end }}
{{- with .Values.state.key }}
{{- if .existingSecret }}
- name: key
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: key-secret
  secret: {secretName: {{ .existingSecret | quote }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: state.key}]}
{{- end }}
{{- end }}
{{- range $name, $from := .Values.secretFiles }}
- name: {{ $name | lower | replace "_" "-" }}
  secret: {secretName: {{ $from.secret | quote }}, defaultMode: 0440, items: [{key: {{ $from.key | quote }}, path: file}]}
{{- end }}
{{- end }}

{{/* What pods of every kind have; `part` is the component's name. */}}
{{- define "aiops.pod" -}}
serviceAccountName: {{ if eq .part "forwarder" }}{{ include "aiops.name" .root }}-forwarder{{ else }}{{ include "aiops.serviceAccount" .root }}{{ end }}
automountServiceAccountToken: true
enableServiceLinks: false
securityContext: {{- include "aiops.podSecurity" .root | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "aiops.selector" $.root | nindent 6 }}
      app.kubernetes.io/component: {{ $.part }}
{{- end }}
{{- with include "aiops.initContainers" .root }}
{{ . }}
{{- end }}
volumes: {{- include "aiops.volumes" .root | nindent 0 }}
{{- end }}

{{- define "aiops.podMetadata" -}}
labels:
  {{- include "aiops.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

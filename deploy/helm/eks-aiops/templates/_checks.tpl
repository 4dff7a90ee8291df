{{/* What cannot work together, said before anything is applied. */}}
{{- define "aiops.checks" -}}
{{- $shared := and .Values.state.postgres.existingSecret .Values.state.key.existingSecret }}
{{- if and (or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled) (not $shared) }}
{{- fail "replicas: more than one replica, or autoscaling, needs a shared store: set state.postgres.existingSecret (PostgreSQL URL) and state.key.existingSecret, or replicas: 1" }}
{{- end }}
{{- if and (or .Values.worker.enabled .Values.forwarder.enabled (eq .Values.mode "servers")) (not $shared) }}
{{- fail "worker, forwarder and mode: servers share one store: set state.postgres.existingSecret (PostgreSQL URL) and state.key.existingSecret" }}
{{- end }}
{{- if and .Values.state.existingClaim .Values.state.postgres.existingSecret }}
{{- fail "state.existingClaim: it is for SQLite; with state.postgres nothing is kept in it: remove one of the two" }}
{{- end }}
{{- if and .Values.auth.issuer (not .Values.auth.publicUrl) }}
{{- fail "auth.publicUrl: say the URL of the MCP endpoint as clients know it, https://aiops.example.com/mcp: tokens are taken for it only" }}
{{- end }}
{{- if and (not .Values.auth.issuer) (or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled .Values.ingress.enabled .Values.httpRoute.enabled .Values.serviceMonitor.enabled (eq .Values.mode "servers")) }}
{{- fail "auth.issuer: without an issuer of tokens the servers listen on the pod's loopback alone, so replicas, mode: servers, routes and monitors cannot reach them: set auth.issuer and auth.publicUrl" }}
{{- end }}
{{- if and .Values.worker.eventsPort (not (hasKey .Values.secretFiles "AIOPS_EVENTS_TOKEN_FILE")) }}
{{- fail "worker.eventsPort: POST /events asks its senders for tokens: set secretFiles.AIOPS_EVENTS_TOKEN_FILE to {secret: NAME, key: KEY}" }}
{{- end }}
{{- if and (eq .Values.mode "servers") (has "sop" .Values.servers) (not (hasKey .Values.secretFiles "AIOPS_SOP_TOKEN_FILE")) }}
{{- fail "mode: servers: the sop server calls the others with a token: set secretFiles.AIOPS_SOP_TOKEN_FILE to {secret: NAME, key: KEY}, or use mode: gateway" }}
{{- end }}
{{- if and .Values.rbac.execute (ne (index .Values.settings "AIOPS_WRITE" | default "" | toString) "true") }}
{{- fail "rbac.execute: rights to change are given while AIOPS_WRITE is not \"true\": set settings.AIOPS_WRITE, or leave rbac.execute off" }}
{{- end }}
{{- end }}

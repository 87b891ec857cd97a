{{- define "mlflow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "mlflow.fullname" -}}
{{- $name := include "mlflow.name" . }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mlflow.selector" -}}
app.kubernetes.io/name: {{ include "mlflow.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mlflow.metadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "mlflow.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "mlflow.serviceAccountName" -}}
{{- default (ternary (include "mlflow.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "mlflow.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- define "mlflow.isSqlite" -}}
{{- if eq .Values.store "sqlite" }}yes{{ end }}
{{- end }}

{{- define "mlflow.claimName" -}}
{{- default (include "mlflow.fullname" .) .Values.persistence.existingClaim }}
{{- end }}

{{- /* Pods at most, with the one more that a rollout starts. */}}
{{- define "mlflow.pods" -}}
{{- add1 (ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled) }}
{{- end }}

{{- /*
Connections of one pool. A worker has three of them (runs, models, sign-ins), a pod's parent process one connection, the
migration two; 20 % of the server's connections are left to others. MLflow takes an overflow of 0 for "10".
*/}}
{{- define "mlflow.pool" -}}
{{- $pods := include "mlflow.pods" . | int }}
{{- $free := sub (div (mul 8 .Values.postgresql.maxConnections) 10) (add $pods 2) }}
{{- $pools := mul 3 $pods .Values.server.workers }}
{{- $size := div $free $pools }}
{{- if lt $size 2 }}
{{- fail (printf "postgresql.maxConnections %v is too little for %v pods (one of them during a rollout) of %v workers: %v at least, or fewer pods or workers." .Values.postgresql.maxConnections $pods .Values.server.workers (div (add (mul 10 (add (mul 2 $pools) $pods 2)) 7) 8)) }}
{{- end }}
{{- min $size 15 }}
{{- end }}

{{- define "mlflow.databaseUri" -}}
{{- $root := index . 0 }}{{ $database := index . 1 }}
{{- with $root.Values.postgresql -}}
postgresql+psycopg2://{{ .user }}@{{ .host }}:{{ .port }}/{{ $database }}?sslmode={{ .sslMode }}
{{- if .caConfigMap }}&sslrootcert=/etc/mlflow/ca/{{ .caKey }}{{ end }}
{{- end }}
{{- end }}

{{- define "mlflow.trackingUri" -}}
{{- if include "mlflow.isSqlite" . }}sqlite:////var/lib/mlflow/mlflow.db
{{- else }}{{ include "mlflow.databaseUri" (list . .Values.postgresql.database) }}{{ end }}
{{- end }}

{{- define "mlflow.authUri" -}}
{{- if include "mlflow.isSqlite" . }}sqlite:////var/lib/mlflow/mlflow_auth.db
{{- else }}{{ include "mlflow.databaseUri" (list . .Values.postgresql.authDatabase) }}{{ end }}
{{- end }}

{{- define "mlflow.artifacts" -}}
{{- if .Values.artifacts.destination }}{{ .Values.artifacts.destination }}
{{- else }}/var/lib/mlflow/artifacts{{ end }}
{{- end }}

{{- /* Each name with and without a port: MLflow compares the whole Host header. Tunnels end on any local port. */}}
{{- define "mlflow.allowedHosts" -}}
{{- $name := include "mlflow.fullname" . }}
{{- $hosts := list "localhost" "localhost:*" "127.0.0.1" "127.0.0.1:*" }}
{{- $service := printf "%s.%s" $name .Release.Namespace }}
{{- range list $name $service (printf "%s.svc" $service) (printf "%s.svc.%s" $service .Values.server.clusterDomain) }}
{{- $hosts = concat $hosts (list . (printf "%s:%v" . $.Values.service.port)) }}
{{- end }}
{{- if .Values.ingress.enabled }}
{{- $hosts = concat $hosts (list .Values.ingress.host (printf "%s:443" .Values.ingress.host) (printf "%s:80" .Values.ingress.host)) }}
{{- end }}
{{- join "," (concat $hosts .Values.server.allowedHosts) }}
{{- end }}

{{- define "mlflow.corsOrigins" -}}
{{- $origins := .Values.server.corsAllowedOrigins }}
{{- if .Values.ingress.enabled }}
{{- $origins = concat $origins (list (printf "https://%s" .Values.ingress.host)) }}
{{- end }}
{{- join "," $origins }}
{{- end }}

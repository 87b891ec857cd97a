{{- /* What the server's pod and the migration's have in common. */}}
{{- define "mlflow.podSpec" -}}
serviceAccountName: {{ include "mlflow.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.runAsUser }}
  runAsGroup: {{ .Values.runAsUser }}
  fsGroup: {{ .Values.runAsUser }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ .Values.tmpSize }}
  - name: config
    configMap:
      name: {{ include "mlflow.fullname" . }}
  {{- if include "mlflow.isSqlite" . }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ include "mlflow.claimName" . }}
  {{- else if .Values.postgresql.caConfigMap }}
  - name: ca
    configMap:
      name: {{ .Values.postgresql.caConfigMap }}
  {{- end }}
{{- end }}

{{- define "mlflow.container" -}}
image: {{ include "mlflow.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
workingDir: /tmp
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: config
    mountPath: /etc/mlflow/config
    readOnly: true
  {{- if include "mlflow.isSqlite" . }}
  - name: data
    mountPath: /var/lib/mlflow
  {{- else if .Values.postgresql.caConfigMap }}
  - name: ca
    mountPath: /etc/mlflow/ca
    readOnly: true
  {{- end }}
env:
  - name: HOME
    value: /tmp
  - name: MLFLOW_BACKEND_STORE_URI
    value: {{ include "mlflow.trackingUri" . | quote }}
  - name: MLFLOW_AUTH_CONFIG_PATH
    value: /etc/mlflow/config/auth.ini
  - name: MLFLOW_AUTH_ADMIN_USERNAME
    value: {{ .Values.auth.adminUsername | quote }}
  - name: MLFLOW_AUTH_ADMIN_PASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ .Values.auth.existingSecret }}
        key: {{ .Values.auth.adminPasswordKey }}
  - name: MLFLOW_FLASK_SERVER_SECRET_KEY
    valueFrom:
      secretKeyRef:
        name: {{ .Values.auth.existingSecret }}
        key: {{ .Values.auth.secretKeyKey }}
  - name: MLFLOW_DISABLE_TELEMETRY
    value: "true"
  - name: MLFLOW_SERVER_ENABLE_JOB_EXECUTION
    value: "false"
  - name: MLFLOW_ALLOW_PICKLE_DESERIALIZATION
    value: "false"
  {{- if not (include "mlflow.isSqlite" .) }}
  {{- $pool := include "mlflow.pool" . | int }}
  - name: MLFLOW_SQLALCHEMYSTORE_POOL_SIZE
    value: {{ sub $pool (div $pool 2) | quote }}
  - name: MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW
    value: {{ div $pool 2 | quote }}
  # PostgreSQL's own library reads it; the addresses stay without a password.
  - name: PGPASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ .Values.postgresql.existingSecret }}
        key: {{ .Values.postgresql.passwordKey }}
  {{- end }}
  {{- with .Values.artifacts.region }}
  - name: AWS_DEFAULT_REGION
    value: {{ . | quote }}
  {{- end }}
  {{- with .Values.artifacts.endpointUrl }}
  - name: MLFLOW_S3_ENDPOINT_URL
    value: {{ . | quote }}
  {{- end }}
  {{- with .Values.artifacts.existingSecret }}
  {{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
  - name: {{ . }}
    valueFrom:
      secretKeyRef:
        name: {{ $.Values.artifacts.existingSecret }}
        key: {{ . }}
  {{- end }}
  {{- end }}
  {{- range .Values.server.extraEnv }}
  - name: {{ .name }}
    value: {{ .value | quote }}
  {{- end }}
{{- end }}

{{- define "ray.fullname" -}}
{{- default .Release.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "ray.metadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  app.kubernetes.io/name: {{ .Chart.Name }}
  app.kubernetes.io/instance: {{ .Release.Name }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ray.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ end }}
{{- end }}

{{- /* A quantity of memory in bytes. */}}
{{- define "ray.bytes" -}}
{{- $number := regexFind "^[0-9]+" (toString .) | int64 }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- mul $number (int64 (get $units (regexFind "[A-Za-z]*$" (toString .)))) }}
{{- end }}

{{- define "ray.percent" -}}
{{- $memory := include "ray.bytes" (index . 0) | int64 }}
{{- div (mul $memory (index . 1)) 100 }}
{{- end }}

{{- define "ray.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* What each cloud calls a spot node. */}}
{{- define "ray.spotLabels" -}}
eks.amazonaws.com/capacityType: SPOT
karpenter.sh/capacity-type: spot
cloud.google.com/gke-spot: "true"
kubernetes.azure.com/scalesetpriority: spot
{{- end }}

{{- define "ray.spotAffinity" -}}
nodeAffinity:
  {{- if eq . "never" }}
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions:
          {{- range $label, $value := include "ray.spotLabels" . | fromYaml }}
          - key: {{ $label }}
            operator: NotIn
            values: [{{ $value | quote }}]
          {{- end }}
  {{- else if eq . "require" }}
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      {{- range $label, $value := include "ray.spotLabels" . | fromYaml }}
      - matchExpressions:
          - key: {{ $label }}
            operator: In
            values: [{{ $value | quote }}]
      {{- end }}
  {{- else }}
  preferredDuringSchedulingIgnoredDuringExecution:
    {{- range $label, $value := include "ray.spotLabels" . | fromYaml }}
    - weight: 100
      preference:
        matchExpressions:
          - key: {{ $label }}
            operator: In
            values: [{{ $value | quote }}]
    {{- end }}
  {{- end }}
{{- end }}

{{- /* list of: root, resources of the group */}}
{{- define "ray.start" -}}
{{- $root := index . 0 }}{{ $resources := index . 1 }}
object-store-memory: {{ include "ray.percent" (list $resources.limits.memory $root.Values.memory.objectStorePercent) | quote }}
{{- end }}

{{- /* list of: root, component */}}
{{- define "ray.podMetadata" -}}
{{- $root := index . 0 }}
labels:
  app.kubernetes.io/name: {{ $root.Chart.Name }}
  app.kubernetes.io/instance: {{ $root.Release.Name }}
  app.kubernetes.io/component: {{ index . 1 }}
{{- with $root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* list of: root, the values of the head or of a group of workers */}}
{{- define "ray.podSpec" -}}
{{- $root := index . 0 }}{{ $group := index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $root.Values.runAsUser }}
  runAsGroup: {{ $root.Values.runAsGroup }}
  fsGroup: {{ $root.Values.runAsGroup }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $group.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $group.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- include "ray.spotAffinity" (default "never" $group.spot) | nindent 2 }}
{{- end }}

{{- define "ray.volumes" -}}
{{- $root := index . 0 }}{{ $group := index . 1 }}
- name: tmp
  emptyDir:
    sizeLimit: {{ $root.Values.tmpSize }}
- name: ray-logs
  emptyDir:
    sizeLimit: {{ $root.Values.tmpSize }}
- name: shared-mem
  emptyDir:
    medium: Memory
    sizeLimit: {{ include "ray.percent" (list $group.resources.limits.memory $root.Values.memory.sharedPercent) | quote }}
{{- range $at, $one := $root.Values.secretMounts }}
- name: secret-{{ $at }}
  secret:
    secretName: {{ $one.name }}
    defaultMode: 0440
{{- end }}
{{- range $at, $one := $root.Values.claimMounts }}
- name: claim-{{ $at }}
  persistentVolumeClaim:
    claimName: {{ $one.claim }}
{{- end }}
{{- end }}

{{- /* list of: root, group, port and path of the probes, which want no token */}}
{{- define "ray.container" -}}
{{- $root := index . 0 }}{{ $group := index . 1 }}{{ $port := index . 2 }}{{ $path := index . 3 }}
image: {{ include "ray.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
workingDir: /tmp
securityContext:
  {{- include "ray.securityContext" . | nindent 2 }}
{{- $resources := deepCopy $group.resources }}
{{- if $group.gpus }}
{{- range $kind := list "requests" "limits" }}
{{- $_ := set (get $resources $kind) $group.gpuResource (toString $group.gpus) }}
{{- end }}
{{- end }}
resources:
  {{- toYaml $resources | nindent 2 }}
env:
  - name: HOME
    value: /tmp
  - name: RAY_USAGE_STATS_ENABLED
    value: "0"
  {{- range $root.Values.env }}
  - name: {{ .name }}
    value: {{ .value | quote }}
  {{- end }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: ray-logs
    mountPath: /tmp/ray
  - name: shared-mem
    mountPath: /dev/shm
  {{- range $at, $one := $root.Values.secretMounts }}
  - name: secret-{{ $at }}
    mountPath: {{ $one.mountPath }}
    readOnly: true
  {{- end }}
  {{- range $at, $one := $root.Values.claimMounts }}
  - name: claim-{{ $at }}
    mountPath: {{ $one.mountPath }}
  {{- end }}
{{- range $probe, $settings := dict "startupProbe" (dict "periodSeconds" 5 "failureThreshold" 60) "readinessProbe" (dict "periodSeconds" 5 "failureThreshold" 10) "livenessProbe" (dict "periodSeconds" 10 "failureThreshold" 60) }}
{{ $probe }}:
  httpGet:
    path: {{ $path }}
    port: {{ $port }}
  timeoutSeconds: 5
  {{- toYaml $settings | nindent 2 }}
{{- end }}
{{- end }}

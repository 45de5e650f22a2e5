{{- define "logkeep.podSpec" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "logkeep.serviceAccountName" . }}
automountServiceAccountToken: false
# Variables such as LOGKEEP_PORT, which Kubernetes makes for services, are none of the settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "logkeep.affinity" . }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "logkeep.spread" . }}
topologySpreadConstraints:
  {{- . | nindent 2 }}
{{- end }}
containers:
  - name: logkeep
    {{- include "logkeep.container" . | nindent 4 }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "logkeep.fullname" . }}
  - name: key
    secret:
      secretName: {{ include "logkeep.keySecret" . }}
      # 0440
      defaultMode: 288
      items:
        - key: {{ include "logkeep.keySecretKey" . }}
          path: admin-key
  {{- with include "logkeep.clusterSecret" . }}
  - name: cluster-secret
    secret:
      secretName: {{ . }}
      # 0440
      defaultMode: 288
      items:
        - key: {{ include "logkeep.clusterSecretKey" $ }}
          path: secret
  {{- end }}
  - name: tmp
    emptyDir: {}
  {{- if not .Values.persistence.enabled }}
  - name: data
    emptyDir: {}
  {{- else if .Values.persistence.existingClaim }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ .Values.persistence.existingClaim }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "logkeep.container" -}}
{{- $isCluster := include "logkeep.isCluster" . -}}
image: {{ include "logkeep.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if $isCluster }}
command:
  {{- include "logkeep.clusterCommand" . | nindent 2 }}
{{- end }}
# Flags override variables and the file: these settings are the chart's.
args:
  - start
  - --config
  - /etc/logkeep/logkeep.yaml
  - --data
  - /data
  - --http
  - 0.0.0.0:7070
  - --coordinator
  - {{ ternary "0.0.0.0" "127.0.0.1" (eq $isCluster "yes") }}:2181
  - --peer
  - {{ ternary "0.0.0.0" "127.0.0.1" (eq $isCluster "yes") }}:7071
  {{- if include "logkeep.clusterSecret" . }}
  - --secret-file
  - /etc/logkeep-cluster/secret
  {{- end }}
  - --roles
  - all
  - --set
  - auth.adminKeyFile=/etc/logkeep-key/admin-key
  - --set
  - auth.insecureListen=false
  {{- if not (dig "http" "publicUrl" "" (.Values.config | default (dict))) }}
  {{- with include "logkeep.publicUrl" . }}
  - --set
  - http.publicUrl={{ . }}
  {{- end }}
  {{- end }}
{{- if or $isCluster .Values.extraEnv }}
env:
  {{- if $isCluster }}
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  # Newer versions of Kubernetes put it there; where it is missing the node is of no zone.
  - name: POD_ZONE
    valueFrom:
      fieldRef:
        fieldPath: metadata.labels['topology.kubernetes.io/zone']
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 7070
    protocol: TCP
  {{- if $isCluster }}
  {{- range include "logkeep.clusterPorts" . | fromYamlArray }}
  - name: {{ .name }}
    containerPort: {{ .port }}
    protocol: TCP
  {{- end }}
lifecycle:
  preStop:
    exec:
      command:
        {{- include "logkeep.clusterPreStop" . | nindent 8 }}
  {{- end }}
# HTTP listens only when the logs are replayed and, with several pods, most voters are there; until then connections are refused.
# Once it listens, /healthz asks nothing of other pods, and /readyz no quorum as long as the others are reached.
startupProbe:
  httpGet:
    path: /healthz
    port: http
  {{- toYaml .Values.startupProbe | nindent 2 }}
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  {{- toYaml .Values.livenessProbe | nindent 2 }}
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  {{- toYaml .Values.readinessProbe | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: data
    mountPath: /data
  - name: config
    mountPath: /etc/logkeep
    readOnly: true
  - name: key
    mountPath: /etc/logkeep-key
    readOnly: true
  {{- if include "logkeep.clusterSecret" . }}
  - name: cluster-secret
    mountPath: /etc/logkeep-cluster
    readOnly: true
  {{- end }}
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

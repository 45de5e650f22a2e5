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
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
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
image: {{ include "logkeep.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
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
  - 127.0.0.1:2181
  - --peer
  - 127.0.0.1:7071
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
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 7070
    protocol: TCP
# HTTP listens only when the logs are replayed; until then connections are refused.
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
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The chart's name in labels. */}}
{{- define "logkeep.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of all objects. 52 characters leave room for what the StatefulSet and the headless Service put behind. */}}
{{- define "logkeep.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "logkeep.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "logkeep.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "logkeep.selectorLabels" -}}
app.kubernetes.io/name: {{ include "logkeep.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of the pods that serve, beyond which nothing selects. */}}
{{- define "logkeep.serverLabels" -}}
{{ include "logkeep.selectorLabels" . }}
app.kubernetes.io/component: server
{{- end -}}

{{/* All labels of an object: the chart's own, which nothing overrides, those given for it, those for all. Takes (list $ given). */}}
{{- define "logkeep.labels" -}}
{{- $root := first . -}}
{{- $own := include "logkeep.ownLabels" $root | fromYaml -}}
{{- merge (dict) $own (last .) $root.Values.labels | toYaml -}}
{{- end -}}

{{- define "logkeep.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "logkeep.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "logkeep.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "logkeep.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "logkeep.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Where the admin key lies: the Secret, and the key within it. */}}
{{- define "logkeep.keySecret" -}}
{{- default (printf "%s-admin-key" (include "logkeep.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}
{{- define "logkeep.keySecretKey" -}}
{{- ternary .Values.auth.existingSecretKey "admin-key" (ne .Values.auth.existingSecret "") -}}
{{- end -}}

{{/* The URL of the first host of the Ingress; nothing where there is none. */}}
{{- define "logkeep.publicUrl" -}}
{{- if .Values.ingress.enabled -}}
{{- printf "%s://%s" (ternary "https" "http" (gt (len .Values.ingress.tls) 0)) (first .Values.ingress.hosts) -}}
{{- end -}}
{{- end -}}

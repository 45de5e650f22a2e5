{{/* What values.schema.json cannot tell: values that contradict each other or the chart. */}}
{{- define "logkeep.checks" -}}
{{- $own := list "LOGKEEP_CONFIG" "LOGKEEP_DATA_DIR" "LOGKEEP_HTTP_LISTEN" "LOGKEEP_COORDINATOR_LISTEN" "LOGKEEP_PEER_LISTEN" "LOGKEEP_ROLES" "LOGKEEP_AUTH_ADMIN_KEY_FILE" "LOGKEEP_AUTH_INSECURE_LISTEN" -}}
{{- range $at, $variable := .Values.extraEnv -}}
{{- if has $variable.name $own -}}
{{- fail (printf "extraEnv[%d].name: %s is the chart's own" $at $variable.name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim: needs persistence.enabled" -}}
{{- end -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- fail "service.nodePort: needs service.type NodePort or LoadBalancer" -}}
{{- end -}}
{{- with .Values.ingress -}}
{{- if and .enabled (hasPrefix "*." (first .hosts)) (not (dig "http" "publicUrl" "" ($.Values.config | default (dict)))) -}}
{{- fail (printf "ingress.hosts[0]: %s is no name for links; put another first, or set config.http.publicUrl" (first .hosts)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

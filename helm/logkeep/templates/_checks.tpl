{{/* What values.schema.json cannot tell: values that contradict each other or the chart. */}}
{{- define "logkeep.checks" -}}
{{- $own := list "LOGKEEP_CONFIG" "LOGKEEP_DATA_DIR" "LOGKEEP_HTTP_LISTEN" "LOGKEEP_COORDINATOR_LISTEN" "LOGKEEP_PEER_LISTEN" "LOGKEEP_ROLES" "LOGKEEP_AUTH_ADMIN_KEY_FILE" "LOGKEEP_AUTH_INSECURE_LISTEN" -}}
{{- range $at, $variable := .Values.extraEnv -}}
{{- if has $variable.name $own -}}
{{- fail (printf "extraEnv[%d].name: %s is the chart's own" $at $variable.name) -}}
{{- end -}}
{{- end -}}
{{- if include "logkeep.isCluster" . -}}
{{- include "logkeep.clusterChecks" . -}}
{{- end -}}
{{- if and (not (include "logkeep.isCluster" .)) (gt (int .Values.voters) 1) -}}
{{- fail (printf "voters: %v votes need as many pods; replicas is 1" .Values.voters) -}}
{{- end -}}
{{- include "logkeep.growthChecks" . -}}
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


{{- define "logkeep.clusterChecks" -}}
{{- $replicas := int .Values.replicas -}}
{{- $voters := include "logkeep.voters" . | int -}}
{{- /* Two of three are enough to lead: so an ensemble of one voter grows. */}}
{{- if lt $replicas (ternary 5 2 (eq $voters 5)) -}}
{{- fail (printf "voters: %d votes need as many pods; replicas is %d" $voters $replicas) -}}
{{- end -}}
{{- $own := list "LOGKEEP_NODE_ID" "LOGKEEP_NODE_HOST" "LOGKEEP_COORDINATOR_ENSEMBLE" "LOGKEEP_COORDINATOR_CONNECT" "LOGKEEP_CLUSTER_JOIN" "LOGKEEP_CLUSTER_SECRET_FILE" "LOGKEEP_CLUSTER_SECRET" "POD_NAME" "POD_ZONE" -}}
{{- range $at, $variable := .Values.extraEnv -}}
{{- if has $variable.name $own -}}
{{- fail (printf "extraEnv[%d].name: with several pods %s is the chart's own" $at $variable.name) -}}
{{- end -}}
{{- end -}}
{{- $config := .Values.config | default (dict) -}}
{{- range $setting := list "node.id" "node.host" "coordinator.ensemble" "coordinator.connect" "cluster.join" "cluster.secretFile" -}}
{{- $parts := splitList "." $setting -}}
{{- if hasKey (dig (first $parts) (dict) $config | default (dict)) (last $parts) -}}
{{- fail (printf "config.%s: with several pods it is the chart's own; see replicas, voters and cluster.existingSecret" $setting) -}}
{{- end -}}
{{- end -}}
{{- with .Values.persistence -}}
{{- if not .enabled -}}
{{- fail "persistence.enabled: several pods need volumes, or an upgrade, which restarts one after the other, would lose what they have" -}}
{{- end -}}
{{- if .existingClaim -}}
{{- fail "persistence.existingClaim: is for one pod; several have a claim each" -}}
{{- end -}}
{{- if eq .retention.whenScaled "Delete" -}}
{{- fail "persistence.retention.whenScaled: Delete would drop the records of pods that are stopped for a while" -}}
{{- end -}}
{{- end -}}
{{- $stop := add .Values.drain.endpointsSeconds .Values.drain.copiesSeconds 20 -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $stop) -}}
{{- fail (printf "terminationGracePeriodSeconds: must be at least %d, which is drain.endpointsSeconds, drain.copiesSeconds and 20 s to stop" $stop) -}}
{{- end -}}
{{- end -}}

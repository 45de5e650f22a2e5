{{/*
What an upgrade may change of who votes. Members with different lists could lead side by side, so all pods are stopped first; and the
first that lead by the new list must include one that has everything. Only a Helm that may ask the cluster can tell.
*/}}
{{- define "logkeep.growthChecks" -}}
{{- $name := include "logkeep.fullname" . -}}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace $name -}}
{{- $before := dig "metadata" "annotations" "logkeep/ensemble" "alone" . -}}
{{- $now := include "logkeep.shape" $ -}}
{{- if ne $before $now -}}
{{- $change := printf "%s > %s" $before $now -}}
{{- $ways := list "alone > 1" "alone > 1+2" "1 > 1+2" "1 > alone" "1+2 > 1" "1+2 > alone" "1+2 > 3" "3 > 5" -}}
{{- if not (has $change $ways) -}}
{{- $voters := dict "alone" 1 "1" 1 "1+2" 1 "3" 3 "5" 5 -}}
{{- $have := get $voters $before -}}
{{- $want := include "logkeep.voters" $ | int -}}
{{- if lt $want (int $have) -}}
{{- fail (printf "voters: %s has %v and cannot have %v: voters never become fewer (docs/kubernetes.md, several pods)" $name $have $want) -}}
{{- end -}}
{{- fail (printf "voters: %s has %v and cannot go to %v at once: begin with --set voters=%v, which adds pods without a vote (docs/kubernetes.md, several pods)" $name $have $want $have) -}}
{{- end -}}
{{- if and (eq $before "alone") (not $.Values.cluster.existingSecret) -}}
{{- fail (printf "cluster.existingSecret: the pods to come need the secret that %s-0 has in /data/cluster-secret; put it in a Secret first (docs/kubernetes.md, several pods)" $name) -}}
{{- end -}}
{{- if gt (int (dig "status" "replicas" 0 .)) 0 -}}
{{- fail (printf "voters, replicas: going from %s to %s members of the coordinator needs all pods stopped: kubectl scale -n %s statefulset/%s --replicas 0, wait until they are gone, and again" $before $now $.Release.Namespace $name) -}}
{{- end -}}
{{- if and (eq $change "1+2 > 3") (ne (int $.Values.replicas) 2) -}}
{{- fail (printf "replicas: from one voter to three the first two pods start alone, so that what the first has is not lost: --set voters=3,replicas=2, wait until they are ready, then --set replicas=%v" $.Values.replicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The names of pods are stable: their ordinal plus one is the node's number. */}}
{{- define "logkeep.headless" -}}
{{ include "logkeep.fullname" . }}-headless
{{- end -}}

{{/* How a pod of an ordinal is reached by the others. Takes (list $ ordinal). */}}
{{- define "logkeep.podHost" -}}
{{- $root := first . -}}
{{- printf "%s-%d.%s.%s.svc" (include "logkeep.fullname" $root) (int (last .)) (include "logkeep.headless" $root) $root.Release.Namespace -}}
{{- end -}}

{{/* "yes" where there are several pods. */}}
{{- define "logkeep.isCluster" -}}
{{- if gt (int .Values.replicas) 1 -}}yes{{- end -}}
{{- end -}}

{{- define "logkeep.voters" -}}
{{- if .Values.voters -}}
{{- int .Values.voters -}}
{{- else -}}
{{- ternary 3 1 (ge (int .Values.replicas) 3) -}}
{{- end -}}
{{- end -}}

{{/* Pods that are members of the coordinator. Beside one voter two more follow, as an ensemble that is to have three voters begins. */}}
{{- define "logkeep.members" -}}
{{- $voters := include "logkeep.voters" . | int -}}
{{- if and (eq $voters 1) (ge (int .Values.replicas) 3) -}}3{{- else -}}{{ $voters }}{{- end -}}
{{- end -}}

{{/* What --ensemble says, the same on all members. It does not depend on `replicas` beyond them, so that one pod more restarts none. */}}
{{- define "logkeep.ensemble" -}}
{{- $root := . -}}
{{- $voters := include "logkeep.voters" . | int -}}
{{- $members := list -}}
{{- range $ordinal := until (include "logkeep.members" . | int) -}}
{{- $role := ternary "" ":observer" (lt $ordinal $voters) -}}
{{- $members = append $members (printf "%d=%s:2888:3888%s" (add1 $ordinal) (include "logkeep.podHost" (list $root $ordinal)) $role) -}}
{{- end -}}
{{- join "," $members -}}
{{- end -}}

{{/* Who is asked by a pod that is no member. */}}
{{- define "logkeep.join" -}}
{{- $root := . -}}
{{- $peers := list -}}
{{- range $ordinal := until (include "logkeep.members" . | int) -}}
{{- $peers = append $peers (printf "%s:7071" (include "logkeep.podHost" (list $root $ordinal))) -}}
{{- end -}}
{{- join "," $peers -}}
{{- end -}}

{{/* Voters and members that follow, in short; kept at the StatefulSet for the next upgrade to compare with. */}}
{{- define "logkeep.shape" -}}
{{- $voters := include "logkeep.voters" . | int -}}
{{- $members := include "logkeep.members" . | int -}}
{{- if not (include "logkeep.isCluster" .) -}}alone
{{- else if gt $members $voters -}}{{ $voters }}+{{ sub $members $voters }}
{{- else -}}{{ $voters }}
{{- end -}}
{{- end -}}

{{/* Where the pods' secret lies; nothing where one pod keeps its own beside its data. */}}
{{- define "logkeep.clusterSecret" -}}
{{- if .Values.cluster.existingSecret -}}
{{- .Values.cluster.existingSecret -}}
{{- else if include "logkeep.isCluster" . -}}
{{- include "logkeep.fullname" . }}-cluster-secret
{{- end -}}
{{- end -}}
{{- define "logkeep.clusterSecretKey" -}}
{{- ternary .Values.cluster.existingSecretKey "secret" (ne .Values.cluster.existingSecret "") -}}
{{- end -}}

{{/* What becomes the process of one pod of several: who it is follows from its name. */}}
{{- define "logkeep.clusterCommand" -}}
- sh
- -euc
- |
  node=$((${POD_NAME##*-} + 1))
  host=$POD_NAME.{{ include "logkeep.headless" . }}.{{ .Release.Namespace }}.svc
  # It listens at its name, which DNS has a moment after the pod is there.
  trap 'exit 143' TERM
  until getent hosts "$host" >/dev/null; do sleep 1; done
  set -- "$@" --node-id "$node" --set "node.host=$host"
  if [ "$node" -le {{ include "logkeep.members" . }} ]; then
    set -- "$@" --ensemble '{{ include "logkeep.ensemble" . }}'
  else
    set -- "$@" --join '{{ include "logkeep.join" . }}'
  fi
  if [ -n "$POD_ZONE" ]; then set -- "$@" --zone "$POD_ZONE"; fi
  exec logkeep "$@"
- logkeep
{{- end -}}

{{/* One pod stops after the other: the next one waits until the records of the last are on two disks again. */}}
{{- define "logkeep.clusterPreStop" -}}
- sh
- -c
- |
  sleep {{ .Values.drain.endpointsSeconds }}
  export LOGKEEP_KEY="$(cat /etc/logkeep-key/admin-key)"
  timeout {{ .Values.drain.copiesSeconds }} sh -c '
    until said=$(logkeep status 2>&1) && ! echo "$said" | grep -q "on one disk only"; do
      # It does not serve: nobody would wait for it.
      case $said in *"cannot reach"*) exit 0 ;; esac
      sleep 1
    done'
  exit 0
{{- end -}}

{{/* Preferred, not required: pods on one node are better than none. */}}
{{- define "logkeep.affinity" -}}
{{- if .Values.affinity -}}
{{- toYaml .Values.affinity -}}
{{- else if include "logkeep.isCluster" . -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "logkeep.serverLabels" . | nindent 12 }}
{{- end -}}
{{- end -}}

{{- define "logkeep.spread" -}}
{{- if .Values.topologySpreadConstraints -}}
{{- toYaml .Values.topologySpreadConstraints -}}
{{- else if include "logkeep.isCluster" . -}}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "logkeep.serverLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* Ports that pods have for each other. */}}
{{- define "logkeep.clusterPorts" -}}
- { name: peer, port: 7071 }
- { name: coordinator, port: 2181 }
- { name: quorum, port: 2888 }
- { name: election, port: 3888 }
{{- end -}}

{{/* Where helm test looks for what it shipped: each pod of several finds it. */}}
{{- define "logkeep.testUrls" -}}
{{- if include "logkeep.isCluster" . -}}
{{- $urls := list -}}
{{- range $ordinal := until (int .Values.replicas) -}}
{{- $urls = append $urls (printf "http://%s:7070" (include "logkeep.podHost" (list $ $ordinal))) -}}
{{- end -}}
{{- join " " $urls -}}
{{- else -}}
"$LOGKEEP_URL"
{{- end -}}
{{- end -}}

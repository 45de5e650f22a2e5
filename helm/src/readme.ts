import { describeValues, type ValueInfo } from "./print.ts";

/** The text of the chart's README, with a table of all values. */
export function printReadme(): string {
  const rows = describeValues().map(rowOf);
  return `${intro}\n| value | default | what it does |\n|---|---|---|\n${rows.join("\n")}\n`;
}

const intro = `# logkeep

<!-- Written by npm run chart; edit helm/src instead. -->

Logkeep on Kubernetes 1.25 or newer: a StatefulSet of one pod, or of several that are one cluster, each with its volume, a
Service, an admin key, and what else is switched on below. [kubernetes.md](../../docs/kubernetes.md) tells how it is run:
several pods, keys, ingress, upgrade, backup, sizes.

\`\`\`
helm install logs helm/logkeep --namespace logs --create-namespace --set image.repository=REGISTRY/logkeep
helm test logs --namespace logs
\`\`\`

\`--set replicas=3\` makes it a cluster in which one pod may be lost.

Settings of the service go under \`config\`, with the names and forms of
[configuration.md](../../docs/configuration.md):

\`\`\`yaml
config:
  storage:
    retention:
      days: 30
      maxBytes: 40GiB
\`\`\`

Helm refuses unknown names and wrong values, those under \`config\` too, by \`values.schema.json\`. These settings are
the chart's: \`data.dir\`, \`http.listen\`, \`coordinator.listen\`, \`peer.listen\`, \`roles\`, \`auth.adminKeyFile\`,
\`auth.insecureListen\`; with several pods also \`node.id\`, \`node.host\`, \`coordinator.ensemble\`, \`coordinator.connect\`,
\`cluster.join\` and \`cluster.secretFile\`.

## Values
`;

function rowOf({ path, preset, description }: ValueInfo): string {
  return `| \`${path}\` | ${shown(preset)} | ${description.replaceAll("|", "\\|")} |`;
}

function shown(preset: unknown): string {
  if (preset === "") return "none";
  if (typeof preset === "string") return `\`${preset}\``;
  if (Array.isArray(preset) && preset.length === 0) return "none";
  const text = JSON.stringify(preset);
  return text === "{}" ? "none" : `\`${text}\``;
}

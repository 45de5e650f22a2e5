import { coerce, expected } from "./coerce.ts";
import { describeSettings, type SettingInfo } from "./describe.ts";
import { printBytes, printDuration } from "./quantity.ts";
import { sharedSettings } from "./shared.ts";

/** The reference page of all settings, in Markdown. */
export function referencePage(): string {
  const settings = describeSettings();
  const sections = [...new Set(settings.map(({ path }) => sectionOf(path)))];
  const parts = sections.map((section) => {
    const rows = settings.filter(({ path }) => sectionOf(path) === section).map(rowOf);
    const title = section === "" ? "The node" : `\`${section}\``;
    return `## ${title}\n\n${tableHead}\n${rows.join("\n")}\n`;
  });
  return `${intro}\n${sharedPart()}\n${parts.join("\n")}`;
}

const intro = `# Configuration

<!-- Written by REWRITE=1 node --test "config/test/*.test.ts"; edit config/src/schema.ts instead. -->

Every setting has a default, so Logkeep starts without a file. What is set comes from five places, each
overriding the ones before it:

1. the defaults below,
2. what is [set for the whole cluster](#settings-of-the-whole-cluster) by \`logkeep config set\`,
3. a YAML file: \`logkeep start --config logkeep.yaml\`, or its path in \`LOGKEEP_CONFIG\`,
4. variables: \`LOGKEEP_\` and the path in capitals, as \`LOGKEEP_HTTP_BODY_MAX_BYTES=32MiB\`,
5. flags: \`--http 127.0.0.1:8080\`, and \`--set PATH=VALUE\` for what has no flag of its own.

\`\`\`yaml
http:
  listen: 127.0.0.1:8080
storage:
  retention:
    days: 30
    maxBytes: 200GiB
\`\`\`

Sizes are bytes, or a number with \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\` (or \`kB\`, \`MB\`, …); times are milliseconds, or a
number with \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`. A list is a YAML list, or one text with commas. An unknown setting and a
value out of bounds are refused at start with their file and line; \`logkeep config check FILE\` tells the same
without starting anything, and \`logkeep config check --schema\` prints a JSON schema for editors.
`;

const sharedIntro = `## Settings of the whole cluster

\`logkeep config\` sets them for all nodes, by any node (scope \`admin\`); on one node alone they work the same. They are kept by the coordinator, a
version with each change, and every change is in the [audit journal](audit.md).

\`\`\`
$ logkeep config set query.timeoutMs=60s
query is now at version 1
$ logkeep config set storage.retention.days=30
storage is now at version 1
after a restart of each node: storage.retention.days
$ logkeep config get storage.retention.days
SETTING                 VALUE  SET BY   WAITING
storage.retention.days  7      default  30 after a restart
$ logkeep config history query
VERSION  AT                        BY        VALUES
1        2026-11-21T18:11:15.297Z  (no key)  query.timeoutMs=60000
$ logkeep config rollback query 0
query is now at version 2
\`\`\`

- A change is of one section (\`query\`, \`storage\`, …), whole or not at all. Several settings of a section go together; \`query.timeoutMs=\` takes one
  back to its default. \`logkeep config edit query\` opens the section in your editor, and is refused if somebody changed it meanwhile, as is \`--version N\`;
  what you wrote is kept in a file then.
- It is checked by the node that is asked, with that node's own settings beside it; what cannot be run with is refused and not written. Running nodes hear of it by a
  watch. A node of another version that cannot run with it keeps what it had, and says so in its log.
- A node's own file, variables and flags are above it: \`config get\` says what set each, and \`config set\` when the node that answers is told otherwise by its own.
- A rollback makes the values of an earlier version the next one; version 0 is nothing set. The last 100 versions of a section are kept.
- All other settings are a node's own: addresses, disk and memory, its part in the cluster, secrets.

| setting | a change takes effect |
|---|---|`;

function sharedPart(): string {
  const rows = [...sharedSettings].map(([path, effect]) => {
    return `| \`${path}\` | ${effect === "at-once" ? "at once" : "when a node is restarted"} |`;
  });
  return `${sharedIntro}\n${rows.join("\n")}\n`;
}

const tableHead =
  "| setting | default | allowed | variable | what it does |\n|---|---|---|---|---|";

function sectionOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("."), 0));
}

function rowOf(info: SettingInfo): string {
  const { path, env, description } = info;
  return `| \`${path}\` | ${presetOf(info)} | ${allowedOf(info)} | \`${env}\` | ${description} |`;
}

function presetOf(info: SettingInfo): string {
  const { preset } = info;
  if (preset === undefined) return "not set";
  if (typeof preset === "number") return amount(preset, info);
  if (Array.isArray(preset) && preset.length === 0) return "none";
  if (!Array.isArray(preset)) return `\`${JSON.stringify(preset).replaceAll('"', "")}\``;
  const all = coerce(info, "all");
  return JSON.stringify(preset) === JSON.stringify(all) ? "`all`" : `\`${preset.join(",")}\``;
}

function allowedOf(info: SettingInfo): string {
  const { min, max } = info;
  if (min === undefined || max === undefined) return expected(info);
  const from = info.minExclusive ? `above ${amount(min, info)}` : amount(min, info);
  // The largest exact integer stands for "no bound".
  if (max === Number.MAX_SAFE_INTEGER) return `${from} and more`;
  return `${from} to ${amount(max, info)}`;
}

function amount(value: number, { kind }: SettingInfo): string {
  if (kind === "bytes") return printBytes(value);
  return kind === "duration" ? printDuration(value) : String(value);
}

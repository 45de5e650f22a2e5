import { coerce, expected } from "./coerce.ts";
import { describeSettings, type SettingInfo } from "./describe.ts";
import { printBytes, printDuration } from "./quantity.ts";

/** The reference page of all settings, in Markdown. */
export function referencePage(): string {
  const settings = describeSettings();
  const sections = [...new Set(settings.map(({ path }) => sectionOf(path)))];
  const parts = sections.map((section) => {
    const rows = settings.filter(({ path }) => sectionOf(path) === section).map(rowOf);
    const title = section === "" ? "The node" : `\`${section}\``;
    return `## ${title}\n\n${tableHead}\n${rows.join("\n")}\n`;
  });
  return `${intro}\n${parts.join("\n")}`;
}

const intro = `# Configuration

<!-- Written by REWRITE=1 node --test "config/test/*.test.ts"; edit config/src/schema.ts instead. -->

Every setting has a default, so Logkeep starts without a file. What is set comes from four places, each
overriding the ones before it:

1. the defaults below,
2. a YAML file: \`logkeep start --config logkeep.yaml\`, or its path in \`LOGKEEP_CONFIG\`,
3. variables: \`LOGKEEP_\` and the path in capitals, as \`LOGKEEP_HTTP_BODY_MAX_BYTES=32MiB\`,
4. flags: \`--http 127.0.0.1:8080\`, and \`--set PATH=VALUE\` for what has no flag of its own.

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

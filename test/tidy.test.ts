// Goal: the structure that the architecture states is the structure there is.
// Method: every source file is read as text; its imports, size, functions and names are held to the rules.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { root } from "./suites.ts";

/** Rooms from the top down; a room imports only from rows below its own. */
const rows: readonly (readonly string[])[] = [
  ["services"],
  ["adapters", "cluster", "console"],
  ["ingest", "alerts", "cli"],
  ["storage", "query", "coordinator", "config"],
  ["kit", "api"],
];

/** Folders that do no IO, read no clock and draw no random number. */
const pureFolders = [
  "coordinator/src/core/",
  "coordinator/src/tree/",
  "coordinator/src/wire/",
  "storage/src/format/",
  "storage/src/replication/core/",
  "query/src/language/",
  "query/src/filter/",
  "query/src/stats/",
  "query/src/pipe/",
  "ingest/src/protocol/",
];

const fileLinesMax = 500;
const functionLinesMax = 70;

const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root })
  .toString()
  .split("\n")
  .filter((file) => file !== "" && existsSync(path.join(root, file)));
const sources = tracked.filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"));
const textOf = new Map(sources.map((file) => [file, readFileSync(path.join(root, file), "utf8")]));

function importsOf(file: string): string[] {
  const text = textOf.get(file) ?? "";
  const found = text.matchAll(/(?:\bfrom|\bimport)\s+"([^"]+)"|\bimport\("([^"]+)"\)/g);
  return [...found].map((match) => (match[1] ?? match[2]) as string);
}

function rowOf(room: string): number {
  return rows.findIndex((row) => row.includes(room));
}

test("rooms import only from rooms below them", () => {
  const faults: string[] = [];
  for (const file of sources) {
    const room = file.split("/")[0] as string;
    if (rowOf(room) < 0) continue;
    for (const name of importsOf(file).filter((each) => each.startsWith("."))) {
      const target = path.normalize(path.join(path.dirname(file), name)).split("/")[0] as string;
      if (target === room) continue;
      if (rowOf(target) <= rowOf(room)) faults.push(`${file} imports ${name}`);
    }
  }
  assert.deepEqual(faults, []);
});

test("pure folders import no Node module that does IO and read no clock", () => {
  const allowed = new Set(["node:zlib", "node:buffer", "node:crypto"]);
  const faults: string[] = [];
  for (const file of sources.filter((each) => pureFolders.some((f) => each.startsWith(f)))) {
    for (const name of importsOf(file)) {
      if (name.startsWith("node:") && !allowed.has(name)) faults.push(`${file} imports ${name}`);
    }
    const text = textOf.get(file) ?? "";
    const impure = /\b(Date\.now|Math\.random|performance\.now|setTimeout|process\.env)\b/;
    if (impure.test(text)) faults.push(`${file} uses ${impure.exec(text)?.[0]}`);
  }
  assert.deepEqual(faults, []);
});

test("only services read the environment or end the process", () => {
  const faults: string[] = [];
  for (const file of sources) {
    const room = file.split("/")[0] as string;
    if (rowOf(room) <= 0 || !file.includes("/src/")) continue;
    const use = /\bprocess\.(env\b|exit\b|exitCode\b)/.exec(textOf.get(file) ?? "");
    if (use !== null) faults.push(`${file} uses ${use[0]}`);
  }
  assert.deepEqual(faults, []);
});

test("no file is longer than the hard stop", () => {
  const long = sources
    .map((file) => ({ file, lines: (textOf.get(file) ?? "").split("\n").length }))
    .filter(({ lines }) => lines > fileLinesMax);
  assert.deepEqual(long, []);
});

test("no function is longer than the hard stop", () => {
  const faults: string[] = [];
  for (const file of sources.filter((each) => each.includes("/src/"))) {
    for (const { name, lines } of functionsOf(textOf.get(file) ?? "")) {
      if (lines > functionLinesMax) faults.push(`${file}: ${name} has ${lines} lines`);
    }
  }
  assert.deepEqual(faults, []);
});

/** Functions and methods by their indentation, which the formatter guarantees. */
function functionsOf(text: string): { name: string; lines: number }[] {
  const lines = text.split("\n");
  const found: { name: string; lines: number }[] = [];
  const start =
    /^(?:(?:export )?(?:async )?function\*? (\w+)| {2}(?:async |static |override |get |set |\*)*([#\w]+)\(.*\)(?:: .+)? \{$)/;
  for (const [at, line] of lines.entries()) {
    const match = start.exec(line);
    const name = match?.[1] ?? match?.[2];
    if (name === undefined || /^ *(if|for|while|switch|catch|return)\b/.test(line)) continue;
    const end = lines.indexOf(match?.[1] === undefined ? "  }" : "}", at);
    if (end > at) found.push({ name, lines: end - at + 1 });
  }
  return found;
}

test("no file names a place outside the repository", () => {
  const outside = /\.\.\/shared|\/work\/|registry\.npmjs|\/root\//;
  const faults: string[] = [];
  for (const file of tracked) {
    if (file === "test/tidy.test.ts" || /\.(png|bin|seg|woff2?)$/.test(file)) continue;
    const hit = outside.exec(readFileSync(path.join(root, file), "utf8"));
    if (hit !== null) faults.push(`${file}: ${hit[0]}`);
  }
  assert.deepEqual(faults, []);
});

test("no folder or file has a name that says nothing", () => {
  const empty = /(^|\/)(utils?|helpers?|common|misc|manager)(\/|\.ts$)/;
  assert.deepEqual(
    sources.filter((file) => empty.test(file)),
    [],
  );
});

test("every room's dependencies are those of the root", () => {
  const dependenciesOf = (file: string): string[] => {
    const json = JSON.parse(readFileSync(path.join(root, file), "utf8")) as Record<string, object>;
    return Object.keys(json["dependencies"] ?? {});
  };
  const atRoot = new Set(dependenciesOf("package.json"));
  const used = new Set<string>();
  for (const file of sources.filter((each) => /^[a-z]+\/src\//.test(each))) {
    if (file.startsWith("console/") || file.startsWith("bench/")) continue;
    for (const name of importsOf(file)) {
      if (name.startsWith(".") || name.startsWith("node:")) continue;
      used.add(
        name
          .split("/")
          .slice(0, name.startsWith("@") ? 2 : 1)
          .join("/"),
      );
    }
  }
  assert.deepEqual(
    [...used].filter((name) => !atRoot.has(name)),
    [],
  );
});

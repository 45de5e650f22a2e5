import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseAllDocuments } from "yaml";
import { chartFolder } from "../../helm/src/files.ts";
import { missing } from "../machine.ts";
import { temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";

/** An object of Kubernetes, as far as tests look into it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** What lies at a path such as `spec.ports.0.port`; undefined where there is nothing. */
export function at(value: unknown, place: string): unknown {
  let found = value;
  for (const part of place.split(".")) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[part];
  }
  return found;
}

/** Values as a user's file has them. */
export type Values = Readonly<Record<string, unknown>>;

export interface Rendered {
  readonly text: string;
  readonly manifests: readonly Manifest[];
  /** The object of a kind; the name's end tells apart those of one kind. */
  find(kind: string, end?: string): Manifest;
}

const built = path.join(root, ".cache/bin/helm");
const helm = existsSync(built) ? built : "helm";

/** Helm has no cluster to ask here: a version of Kubernetes is told. */
export const kubeVersion = "1.37.0";

/** For a test's `skip`. */
export function missingHelm(): string | false {
  const ran = spawnSync(helm, ["version"], { timeout: 180_000 });
  return missing("helm", ran.status === 0, `there is no helm in .cache/bin nor on the path`);
}

/** Runs helm to its end. */
export async function runHelm(
  args: readonly string[],
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(helm, args, {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 180_000,
    // What a developer has of Helm and clusters must not matter.
    env: { PATH: process.env["PATH"], HOME: temporary(), HELM_NAMESPACE: "logs" },
  });
  const [stdout, stderr, status] = await Promise.all([
    child.stdout.setEncoding("utf8").toArray(),
    child.stderr.setEncoding("utf8").toArray(),
    new Promise<number | null>((resolve, reject) => {
      child.once("close", resolve);
      child.once("error", reject);
    }),
  ]);
  return { status, stdout: stdout.join(""), stderr: stderr.join("") };
}

/** Arguments that give the values, and a version of Kubernetes. */
export function withValues(values: Values): readonly string[] {
  const file = path.join(temporary(), `values-${counter.next++}.yaml`);
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(values));
  return ["--kube-version", kubeVersion, "--values", file];
}

/** `helm template` of a release named `logs`; rejects with what helm says. */
export async function render(values: Values = {}, more: readonly string[] = []): Promise<Rendered> {
  const args = ["template", "logs", chartFolder, ...withValues(values), ...more];
  const { status, stdout, stderr } = await runHelm(args);
  if (status !== 0) throw new Error(stderr);
  const manifests = parseAllDocuments(stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
  return {
    text: stdout,
    manifests,
    find(kind, end = "") {
      const found = manifests.find(
        (each) => each.kind === kind && each.metadata.name.endsWith(end),
      );
      if (found === undefined) throw new Error(`there is no ${kind} …${end}`);
      return found;
    },
  };
}

const counter = { next: 1 };
const folders: string[] = [];

/** One folder for all runs of a test file. */
function temporary(): string {
  if (folders.length === 0) folders.push(temporaryFolder());
  return folders[0] as string;
}

// Runs containers of rendered pods as Linux runs them, where there is no container engine: a root folder of their own
// with the volumes at their places, the user and rights of the security context, the pod's network.
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { missing } from "../machine.ts";
import { spawnServer } from "../servers/child.ts";
import { temporaryFolder } from "../service.ts";
import { at, type Rendered } from "./chart.ts";
import type { Image } from "./image.ts";

/** For a test's `skip`: why no pod can run here. */
export function missingNamespaces(): string | false {
  const reason = cannotIsolate();
  return missing("namespaces", reason === false, reason || "");
}

function cannotIsolate(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  const tried = spawnSync("unshare", ["--net", "--mount", "sh", "-c", "ip link set lo up"]);
  if (tried.status !== 0) return "no namespaces can be made here";
  const absent = ["nsenter", "setpriv", "chroot"].filter(
    (tool) => spawnSync(tool, ["--version"]).error,
  );
  return absent.length === 0 ? false : `there is no ${absent.join(", ")}`;
}

interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

interface Container {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly volumeMounts: readonly VolumeMount[];
  readonly securityContext: {
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly capabilities: { readonly drop: readonly string[] };
  };
}

/** A pod's specification, as far as it is carried out here. */
export interface PodSpec {
  readonly securityContext: {
    readonly runAsUser: number;
    readonly runAsGroup: number;
    readonly fsGroup: number;
  };
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

/** A network, with nothing but loopback unless it is one that is there, and mounts that nobody else sees. */
export class Sandbox {
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
  }

  /** `network`: what stands before a command so that it runs in a network that is there. */
  static async make(network: readonly string[] = ["unshare", "--net"]): Promise<Sandbox> {
    const script = "ip link set lo up && echo made && exec sleep infinity";
    const [program = "", ...args] = [...network, "unshare", "--mount", "sh", "-c", script];
    const keeper = spawnServer(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(keeper.stdout as NodeJS.ReadableStream, "data");
    return new Sandbox(keeper);
  }

  end(): void {
    this.#keeper.kill("SIGKILL");
  }

  /** A command and its arguments that run within. */
  within(command: readonly string[]): readonly string[] {
    return ["nsenter", "-t", String(this.#keeper.pid), "-n", "-m", "--", ...command];
  }

  async run(command: readonly string[]): Promise<string> {
    const [program = "", ...args] = this.within(command);
    return (await promisify(execFile)(program, args, { timeout: 180_000 })).stdout;
  }

  /** `fetch` from within. */
  async fetch(url: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
    const script = `const [url, init] = process.argv.slice(1);
      fetch(url, JSON.parse(init)).then(
        async (r) => console.log(JSON.stringify({ status: r.status, body: await r.text() })),
        () => console.log(JSON.stringify({ status: 0, body: "" })));`;
    const said = await this.run([process.execPath, "-e", script, url, JSON.stringify(init)]);
    return JSON.parse(said) as { status: number; body: string };
  }
}

export interface PodOptions {
  readonly image: Image;
  /** What is /opt/logkeep in the image. */
  readonly installed: string;
  /** Folders of this machine that are at other places in the root as well. */
  readonly beside?: Readonly<Record<string, string>>;
  readonly rendered: Rendered;
  /** Addresses of names, as DNS would tell them. */
  readonly hosts: Readonly<Record<string, string>>;
  /** The pod's name; of a StatefulSet's pods it ends in the ordinal. */
  readonly name?: string;
  /** Folders of claims by volume; where one is missing the pod gets an empty folder. */
  readonly claims: Readonly<Record<string, string>>;
}

/** A container, ready to run. */
export class PodContainer {
  readonly #rootfs: string;
  readonly #enter: readonly string[];
  readonly #program: readonly string[];
  readonly #env: Readonly<Record<string, string>>;

  private constructor(
    rootfs: string,
    enter: readonly string[],
    program: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    this.#rootfs = rootfs;
    this.#enter = enter;
    this.#program = program;
    this.#env = env;
  }

  /** Lays out the root of the pod's first container. */
  static async make(sandbox: Sandbox, spec: PodSpec, options: PodOptions): Promise<PodContainer> {
    const { image, rendered } = options;
    const container = spec.containers[0] as Container;
    const { runAsUser, runAsGroup, fsGroup } = spec.securityContext;
    const folder = temporaryFolder();
    // Others than root must get through to what lies below.
    chmodSync(folder, 0o755);
    const rootfs = path.join(folder, "root");
    const script = [`mount --bind ${rootfs} ${rootfs}`, ...layOut(folder, options)];
    for (const mount of container.volumeMounts) {
      const volume = spec.volumes.find(({ name }) => name === mount.name);
      const from =
        options.claims[mount.name] ?? filled(path.join(folder, mount.name), volume, rendered);
      ownByGroup(from, fsGroup, volume);
      mkdirSync(path.join(rootfs, mount.mountPath), { recursive: true });
      script.push(`mount --bind ${from} ${rootfs}${mount.mountPath}`);
      if (mount.readOnly) script.push(`mount -o remount,bind,ro ${rootfs}${mount.mountPath}`);
    }
    const { securityContext } = container;
    if (securityContext.readOnlyRootFilesystem) script.push(`mount -o remount,bind,ro ${rootfs}`);
    await sandbox.run(["sh", "-euc", script.join("\n")]);

    const rights = ["--reuid", runAsUser, "--regid", runAsGroup, "--groups", fsGroup].map(String);
    if (securityContext.capabilities.drop.includes("ALL"))
      rights.push("--inh-caps=-all", "--bounding-set=-all");
    if (!securityContext.allowPrivilegeEscalation) rights.push("--no-new-privs");
    const program = [...(container.command ?? image.entrypoint), ...(container.args ?? [])];
    // Into the working folder by a shell: chroot alone begins at the root.
    const entered = ["sh", "-c", 'cd "$0" && exec "$@"', image.workdir];
    const pod = ["chroot", rootfs, "setpriv", ...rights, "--pdeathsig", "KILL", "--", ...entered];
    const variables = (container.env ?? []).map((each) => [each.name, variableOf(each, options)]);
    const env = { PATH: imagePath, ...image.env, ...Object.fromEntries(variables) };
    return new PodContainer(rootfs, sandbox.within(pod), program, env);
  }

  /** The process is the container's own: signals reach it as a kubelet's do. */
  start(): ChildProcess {
    return this.exec(this.#program);
  }

  /** What its names lead to from now on, as DNS changes. */
  tell(hosts: PodOptions["hosts"]): void {
    tellHosts(this.#rootfs, hosts);
  }

  /** Another process in the container, as a kubelet runs a hook. */
  exec(command: readonly string[]): ChildProcess {
    const [program = "", ...args] = [...this.#enter, ...command];
    return spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: this.#env });
  }
}

/** Of the images that Node's project makes. */
const imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The image's files: the machine's /usr in place of Debian's, its Node, and the installed package. */
function layOut(
  folder: string,
  { image, installed, hosts, beside = {} }: PodOptions,
): readonly string[] {
  const rootfs = path.join(folder, "root");
  const places = ["usr", "proc", "dev", "etc", "opt/logkeep", image.workdir];
  for (const name of [...places, ...Object.keys(beside)])
    mkdirSync(path.join(rootfs, name), { recursive: true });
  for (const name of ["bin", "lib", "lib64", "sbin"])
    symlinkSync(`usr/${name}`, path.join(rootfs, name));
  tellHosts(rootfs, hosts);
  writeFileSync(path.join(rootfs, "etc/passwd"), `logkeep:x:${image.user}:${image.user}::/tmp:\n`);
  const local = path.join(folder, "local");
  mkdirSync(path.join(local, "bin"), { recursive: true });
  writeFileSync(path.join(local, "bin/node"), "");
  for (const [link, to] of Object.entries(image.links))
    symlinkSync(to, path.join(local, path.relative("/usr/local", link)));
  return [
    `mount --bind /usr ${rootfs}/usr`,
    `mount --bind ${local} ${rootfs}/usr/local`,
    `mount --bind ${process.execPath} ${rootfs}/usr/local/bin/node`,
    `mount --bind ${installed} ${rootfs}/opt/logkeep`,
    ...Object.entries(beside).map(([place, from]) => `mount --bind ${from} ${rootfs}${place}`),
    `mount --rbind /proc ${rootfs}/proc`,
    `mount --rbind /dev ${rootfs}/dev`,
  ];
}

function tellHosts(rootfs: string, hosts: PodOptions["hosts"]): void {
  const names = Object.entries({ localhost: "127.0.0.1", ...hosts });
  const lines = names.map(([name, address]) => `${address} ${name}\n`);
  writeFileSync(path.join(rootfs, "etc/hosts"), lines.join(""));
}

/** A volume that is not a claim, with what Kubernetes would put there. */
function filled(folder: string, volume: Volume | undefined, rendered: Rendered): string {
  mkdirSync(folder);
  const map = at(volume, "configMap.name");
  const secret = at(volume, "secret.secretName");
  if (typeof map === "string") {
    const { data } = rendered.find("ConfigMap", map) as unknown as { data: Texts };
    for (const [name, text] of Object.entries(data)) writeFileSync(path.join(folder, name), text);
  } else if (typeof secret === "string") {
    const { data } = rendered.find("Secret", secret) as unknown as { data: Texts };
    for (const { key, path: file } of at(volume, "secret.items") as readonly SecretItem[])
      writeFileSync(path.join(folder, file), Buffer.from(data[key] ?? "", "base64"));
  } else if (at(volume, "emptyDir") === undefined) {
    throw new Error(`there is no volume for ${folder}`);
  }
  return folder;
}

type Texts = Readonly<Record<string, string>>;

interface SecretItem {
  readonly key: string;
  readonly path: string;
}

/** What a kubelet does for `fsGroup`: the group owns the volume and may write where it is writable. */
function ownByGroup(folder: string, fsGroup: number, volume: Volume | undefined): void {
  chownSync(folder, 0, fsGroup);
  chmodSync(folder, at(volume, "emptyDir") === undefined ? 0o2775 : 0o2777);
  const mode = at(volume, "secret.defaultMode");
  if (typeof mode !== "number") return;
  for (const { path: file } of at(volume, "secret.items") as readonly SecretItem[]) {
    chownSync(path.join(folder, file), 0, fsGroup);
    chmodSync(path.join(folder, file), mode);
  }
}

function variableOf({ value, valueFrom }: Variable, { rendered, name: pod }: PodOptions): string {
  // Of what a pod knows of itself there is its name here, and no label beside the chart's.
  if (valueFrom?.fieldRef !== undefined)
    return valueFrom.fieldRef.fieldPath === "metadata.name" ? (pod ?? "") : "";
  if (valueFrom?.secretKeyRef === undefined) return value ?? "";
  const { name, key } = valueFrom.secretKeyRef;
  const { data } = rendered.find("Secret", name) as unknown as { data: Texts };
  return Buffer.from(data[key] ?? "", "base64").toString();
}

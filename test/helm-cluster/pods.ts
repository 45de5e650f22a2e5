import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import { Network } from "../ensemble/network.ts";
import { at, type Manifest, type Rendered } from "../helm/chart.ts";
import { readImage } from "../helm/image.ts";
import { PodContainer, type PodSpec, Sandbox } from "../helm/pod.ts";
import { temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { endOf, RunningPod } from "./running-pod.ts";

/**
 * The pods of one StatefulSet, as Kubernetes has them: each with a network, a root and a claim of its own, which stays from one
 * revision to the next. What runs is this checkout in the place of the image's package.
 */
export class Pods {
  readonly #network: Network;
  readonly #installed = checkoutAsInstalled();
  readonly #sandboxes: Sandbox[] = [];
  readonly #claims: readonly string[];
  #rendered: Rendered | undefined;
  #pods: readonly RunningPod[] = [];

  private constructor(network: Network, most: number) {
    this.#network = network;
    this.#claims = Array.from({ length: most }, () => temporaryFolder());
  }

  /** `most`: pods that there may be at a time. */
  static async make(most: number): Promise<Pods> {
    return new Pods(await Network.make(most), most);
  }

  get all(): readonly RunningPod[] {
    return this.#pods;
  }

  /** The folder of a pod's claim. */
  claimOf(ordinal: number): string {
    return this.#claims[ordinal] as string;
  }

  /**
   * Pods of what was rendered, which are to be started. Those that run go on, for which nothing may have changed; the others are as it
   * says now.
   */
  async use(rendered: Rendered): Promise<void> {
    const set = rendered.find("StatefulSet");
    const template = at(set, "spec.template");
    const running = this.#pods.filter(({ isRunning }) => isRunning);
    if (running.length > 0)
      assert.deepEqual(template, at(this.#rendered?.find("StatefulSet"), "spec.template"));
    this.#rendered = rendered;
    const spec = at(template, "spec") as PodSpec;
    for (const pod of running) pod.tell(this.#names(rendered));
    const pods: RunningPod[] = [...running];
    for (let ordinal = running.length; ordinal < Number(at(set, "spec.replicas")); ordinal++) {
      const name = `${set.metadata.name}-${ordinal}`;
      const claims = { data: this.#claims[ordinal] as string };
      const container = await this.#container(ordinal, spec, { name, claims });
      pods.push(new RunningPod(container, spec, this.#network.addressOf(ordinal + 1)));
    }
    this.#pods = pods;
  }

  /** Runs a pod beside them, as the hook of `helm test` is one; gives its exit code and what it said. */
  async run(pod: Manifest): Promise<{ code: number | null; said: string }> {
    const container = await this.#container(0, at(pod, "spec") as PodSpec, { claims: {} });
    return endOf(container.start());
  }

  /** Resolves when all pods that run are ready. */
  async ready(): Promise<void> {
    await this.until("ready pods", async () => {
      const running = this.#pods.filter(({ isRunning }) => isRunning);
      const ready = await Promise.all(running.map((pod) => pod.answers("readinessProbe")));
      return ready.every(Boolean);
    });
  }

  async until(what: string, claim: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + 180_000;
    while (!(await claim().catch(() => false))) {
      const isOver = performance.now() > endMs || this.#pods.some(({ hasFailed }) => hasFailed);
      if (isOver) throw new Error(`${what} did not come to be\n${this.#logs()}`);
      await sleep(100);
    }
  }

  #logs(): string {
    const logs = this.#pods.map(({ isRunning, log }, ordinal) => {
      return `--- pod ${ordinal} (${isRunning ? "runs" : "ended"})\n${log.slice(-9000)}`;
    });
    return logs.join("\n");
  }

  async ask(pod: RunningPod, place: string, init: RequestInit = {}): Promise<string> {
    const secret = this.#rendered?.find("Secret", "-admin-key");
    const key = Buffer.from(String(at(secret, "data.admin-key")), "base64").toString();
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" };
    const response = await fetch(`${pod.url}${place}`, { ...init, headers });
    const text = await response.text();
    assert.equal(response.status, 200, `${place}: ${text}`);
    return text;
  }

  async status(pod: RunningPod): Promise<ClusterAnswer> {
    return JSON.parse(await this.ask(pod, "/api/v1/cluster")) as ClusterAnswer;
  }

  /** Ships records that are numbered from `from` on. */
  async ship(pod: RunningPod, from: number, count: number): Promise<void> {
    const line = (_: unknown, i: number): string =>
      `${JSON.stringify({ service: `s${(from + i) % 12}`, _msg: `piped ${from + i}` })}\n`;
    const body = Array.from({ length: count }, line).join("");
    const said = await this.ask(pod, "/api/v1/logs?stream=service", { method: "POST", body });
    assert.equal((JSON.parse(said) as { accepted: number }).accepted, count);
  }

  /** Asserts that a pod finds each record from 0 up to `count` once; an answer that lacks some is none. */
  async finds(pod: RunningPod, count: number): Promise<void> {
    const params = "query=piped&start=0&limit=0&partial=deny&timeout=60s";
    const said = await this.ask(pod, `/api/v1/query?${params}`);
    const rows = said.split("\n").filter((line) => line !== "");
    assert.deepEqual(
      rows.map((row) => (JSON.parse(row) as { _msg: string })._msg).sort(),
      Array.from({ length: count }, (_, i) => `piped ${i}`).sort(),
    );
  }

  async end(): Promise<void> {
    for (const pod of this.#pods) await pod.kill();
    for (const sandbox of this.#sandboxes) sandbox.end();
    await this.#network.end();
  }

  async #container(
    ordinal: number,
    spec: PodSpec,
    own: { readonly name?: string; readonly claims: Readonly<Record<string, string>> },
  ): Promise<PodContainer> {
    const rendered = this.#rendered as Rendered;
    const sandbox = await Sandbox.make(this.#network.within(ordinal + 1));
    this.#sandboxes.push(sandbox);
    const common = { image: readImage(), rendered, hosts: this.#names(rendered) };
    return PodContainer.make(sandbox, spec, { ...common, ...this.#installed, ...own });
  }

  /** Pods by the headless Service, which knows them before they are ready; and the other Service, which leads to the last of them. */
  #names(rendered: Rendered): Readonly<Record<string, string>> {
    const set = rendered.find("StatefulSet");
    const headless = rendered.find("Service", "-headless");
    assert.equal(at(set, "spec.serviceName"), headless.metadata.name);
    assert.equal(at(headless, "spec.publishNotReadyAddresses"), true);
    const replicas = Number(at(set, "spec.replicas"));
    const names = Array.from({ length: replicas }, (_, ordinal) => [
      `${set.metadata.name}-${ordinal}.${headless.metadata.name}.logs.svc`,
      this.#network.addressOf(ordinal + 1),
    ]);
    return { ...Object.fromEntries(names), [set.metadata.name]: this.#network.addressOf(replicas) };
  }
}

/** The checkout's own folder may be its user's alone, which the pods' user is not; those within it are open to all. */
function checkoutAsInstalled(): {
  readonly installed: string;
  readonly beside: Readonly<Record<string, string>>;
} {
  const place = "/opt/checkout";
  const open = temporaryFolder();
  chmodSync(open, 0o755);
  copyFileSync(path.join(root, "package.json"), path.join(open, "package.json"));
  const folders = readdirSync(root).filter((name) => statSync(path.join(root, name)).isDirectory());
  const beside: Record<string, string> = { [place]: open };
  for (const name of folders.filter((each) => !each.startsWith("."))) {
    mkdirSync(path.join(open, name));
    beside[`${place}/${name}`] = realpathSync(path.join(root, name));
  }
  const installed = temporaryFolder();
  chmodSync(installed, 0o755);
  mkdirSync(path.join(installed, "node_modules/.bin"), { recursive: true });
  const command = path.join(installed, "node_modules/.bin/logkeep");
  symlinkSync(path.join(place, "services/bin/logkeep"), command);
  return { installed, beside };
}

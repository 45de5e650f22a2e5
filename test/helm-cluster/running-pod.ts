import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { at } from "../helm/chart.ts";
import type { PodContainer, PodSpec } from "../helm/pod.ts";

type Probe = "startupProbe" | "livenessProbe" | "readinessProbe";

/** A pod's container as a kubelet has it: started, probed, stopped by its hook and a signal, and started again. */
export class RunningPod {
  readonly url: string;
  readonly #container: PodContainer;
  readonly #spec: PodSpec;
  readonly #address: string;
  readonly #said: string[] = [];
  #child: ChildProcess | undefined;

  constructor(container: PodContainer, spec: PodSpec, address: string) {
    this.#container = container;
    this.#spec = spec;
    this.#address = address;
    this.url = `http://${address}:${this.#portOf("http")}`;
  }

  /** What it said, in all its runs. */
  get log(): string {
    return this.#said.join("");
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** It ended by itself, which a kubelet would answer with another start. */
  get hasFailed(): boolean {
    return (this.#child?.exitCode ?? 0) !== 0;
  }

  start(): void {
    const child = this.#container.start();
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => this.#said.push(text));
    this.#child = child;
  }

  /** Whether a probe passes, asked as often as a kubelet does before it gives the pod up, at most five times. */
  async answers(probe: Probe): Promise<boolean> {
    const most = Math.min(Number(at(this.#spec, `containers.0.${probe}.failureThreshold`)), 5);
    for (let tries = 0; tries < most; tries++) if (await this.#answersOnce(probe)) return true;
    return false;
  }

  async #answersOnce(probe: Probe): Promise<boolean> {
    const rendered = at(this.#spec, `containers.0.${probe}`);
    const port = this.#portOf(String(at(rendered, "httpGet.port")));
    const place = String(at(rendered, "httpGet.path"));
    const signal = AbortSignal.timeout(Number(at(rendered, "timeoutSeconds")) * 1000);
    const response = await fetch(`http://${this.#address}:${port}${place}`, { signal }).catch(
      () => undefined,
    );
    await response?.body?.cancel();
    return response?.ok === true;
  }

  /** The hook, the signal, and no more time than the grace period for both. */
  async stop(): Promise<void> {
    const child = this.#child as ChildProcess;
    const exited = once(child, "exit");
    const graceMs = Number(at(this.#spec, "terminationGracePeriodSeconds")) * 1000;
    const late = setTimeout(() => child.kill("SIGKILL"), graceMs);
    try {
      await this.#runHook();
      child.kill("SIGTERM");
      const [status] = (await exited) as [number | null];
      assert.equal(status, 0, this.log);
    } finally {
      clearTimeout(late);
    }
  }

  async #runHook(): Promise<void> {
    const hook = at(this.#spec, "containers.0.lifecycle.preStop.exec.command");
    if (hook === undefined) return;
    const { code, said } = await endOf(this.#container.exec(hook as string[]));
    assert.equal(code, 0, said);
    assert.ok(this.isRunning, "the hook ends nothing");
  }

  /** Other addresses of names. */
  tell(hosts: Readonly<Record<string, string>>): void {
    this.#container.tell(hosts);
  }

  async kill(): Promise<void> {
    if (this.#child === undefined || !this.isRunning) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #portOf(name: string): number {
    const ports = at(this.#spec, "containers.0.ports") as readonly object[];
    return Number(
      at(
        ports.find((each) => at(each, "name") === name),
        "containerPort",
      ),
    );
  }
}

/** The exit code of a process, and what it said. */
export async function endOf(child: ChildProcess): Promise<{ code: number | null; said: string }> {
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => said.push(text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said: said.join("") };
}

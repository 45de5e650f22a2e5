// Goal: what the chart renders is what runs: the container becomes ready, takes a push, answers a query, and stops.
// Method: the pod is carried out as a process, from the image's package, with the rendered arguments, variables,
// volumes, user and rights, in a network and a root of its own; nothing rendered is changed.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { temporaryFolder } from "../service.ts";
import { at, missingHelm, type Rendered, render } from "./chart.ts";
import { buildImage, readImage } from "./image.ts";
import { missingNamespaces, PodContainer, type PodSpec, Sandbox } from "./pod.ts";

const skip = missingHelm() || missingNamespaces();

const readyTimeoutMs = 180_000;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

/** What one run of the pod needs and has. */
interface Run {
  readonly sandbox: Sandbox;
  readonly child: ChildProcess;
  readonly log: () => string;
  readonly url: string;
}

async function start(sandbox: Sandbox, container: PodContainer, rendered: Rendered): Promise<Run> {
  const child = container.start();
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => said.push(text));
  const spec = at(rendered.find("StatefulSet"), "spec.template.spec.containers.0");
  const port = String(at(spec, "ports.0.containerPort"));
  const run = { sandbox, child, log: () => said.join(""), url: `http://127.0.0.1:${port}` };
  const { httpGet } = at(spec, "readinessProbe") as Probe;
  assert.equal(httpGet.port, at(spec, "ports.0.name"));
  await untilOk(run, httpGet.path);
  return run;
}

async function untilOk(run: Run, place: string): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    assert.equal(run.child.exitCode, null, run.log());
    const { status } = await run.sandbox.fetch(`${run.url}${place}`);
    if (status === 200) return;
    assert.ok(Date.now() < deadline, `not ready: ${status}\n${run.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Ends the pod as a kubelet does. */
async function stop(run: Run, graceSeconds: number): Promise<void> {
  const exited = once(run.child, "exit");
  run.child.kill("SIGTERM");
  const late = setTimeout(() => run.child.kill("SIGKILL"), graceSeconds * 1000);
  const [code] = (await exited) as [number | null];
  clearTimeout(late);
  assert.equal(code, 0, run.log());
}

test("the rendered pod becomes ready, takes a push and answers a query with its key alone, passes helm test, and keeps its records", {
  skip,
  timeout: 600_000,
}, async (context) => {
  const image = readImage();
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  const installed = await buildImage(image, folder);
  const rendered = await render({
    config: { storage: { shards: 4, retention: { days: 2.5 } }, log: { level: "debug" } },
  });
  const sandbox = await Sandbox.make();
  context.after(() => sandbox.end());
  const set = rendered.find("StatefulSet");
  const spec = at(set, "spec.template.spec") as PodSpec;
  const grace = Number(at(spec, "terminationGracePeriodSeconds"));
  const service = rendered.find("Service").metadata.name.replace(/-headless$/, "");
  const claims = { data: temporaryFolder() };
  const options = { image, installed, rendered, hosts: { [service]: "127.0.0.1" }, claims };
  const container = await PodContainer.make(sandbox, spec, options);
  const run = await start(sandbox, container, rendered);
  context.after(() => run.child.kill("SIGKILL"));

  assertRestricted(run.child.pid as number);
  // HTTP listens on every address, the coordinator on its own alone.
  assert.equal((await sandbox.fetch("http://127.0.0.2:7070/healthz")).status, 200);
  assert.equal((await sandbox.fetch("http://127.0.0.2:2181/")).status, 0);
  const data = String(at(rendered.find("Secret"), "data.admin-key"));
  const authorization = `Bearer ${Buffer.from(data, "base64").toString()}`;
  const push = (headers: Record<string, string>): Promise<{ status: number; body: string }> =>
    sandbox.fetch(`${run.url}/api/v1/logs?stream=service`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson", ...headers },
      body: '{"service":"pod","_msg":"from a pod"}\n',
    });
  const query = (headers: Record<string, string>): Promise<{ status: number; body: string }> =>
    sandbox.fetch(`${run.url}/api/v1/query?query=service:pod`, { headers });
  assert.equal((await push({})).status, 401);
  assert.equal((await query({})).status, 401);
  assert.deepEqual(JSON.parse((await push({ authorization })).body).accepted, 1);
  assert.match((await query({ authorization })).body, /"_msg":"from a pod"/);
  const cluster = await sandbox.fetch(`${run.url}/api/v1/cluster`, { headers: { authorization } });
  assert.equal(JSON.parse(cluster.body).shards.total, 4, "the settings under config are in force");

  assert.equal(image.healthcheck.length, 3);
  await sandbox.run(image.healthcheck);
  const hook = at(rendered.find("Pod"), "spec") as PodSpec;
  const tested = (await PodContainer.make(sandbox, hook, { ...options, claims: {} })).start();
  const passed = await endOf(tested);
  assert.equal(passed.code, 0, passed.said);
  assert.match(passed.said, /shipped and found\n/);
  // Rendered anew, it has a key that the service does not know.
  const other = { ...options, claims: {}, rendered: await render() };
  const failed = await endOf((await PodContainer.make(sandbox, hook, other)).start());
  assert.notEqual(failed.code, 0, failed.said);
  assert.match(failed.said, /key/);

  await stop(run, grace);
  await assert.rejects(sandbox.run(image.healthcheck));
  const again = await start(sandbox, container, rendered);
  context.after(() => again.child.kill("SIGKILL"));
  assert.match((await query({ authorization })).body, /"_msg":"from a pod"/);
  await stop(again, grace);
});

/** The process has the user and the rights that the security contexts say. */
function assertRestricted(pid: number): void {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
  assert.match(status, /^Gid:\t10001\t/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^CapBnd:\t0+$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.throws(() => writeFileSync(path.join("/proc", String(pid), "root", "etc", "new"), ""), {
    code: "EROFS",
  });
}

/** The exit code of a process, and what it said. */
async function endOf(child: ChildProcess): Promise<{ code: number | null; said: string }> {
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => said.push(text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said: said.join("") };
}

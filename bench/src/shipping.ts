import { once } from "node:events";
import http from "node:http";
import type { Service } from "../../test/service.ts";

/** Sends all bodies over so many connections; gives the latencies in ms. */
export async function shipAll(
  url: string,
  bodies: Iterable<Buffer>,
  senders: number,
): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: senders });
  const latencies: number[] = [];
  // One for all senders: each takes the body that is next.
  const waiting = bodies[Symbol.iterator]();
  const sender = async (): Promise<void> => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      const started = performance.now();
      while (!(await isTaken(agent, `${url}/api/v1/logs?stream=service,host`, next.value))) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: senders }, sender));
  agent.destroy();
  return latencies;
}

/** False: the service is busy, and the body is to come again. */
async function isTaken(agent: http.Agent, url: string, body: Buffer): Promise<boolean> {
  const status = await post(agent, url, body);
  if (status === 429 || status === 503) return false;
  if (status !== 200) throw new Error(`ingest answered ${status}`);
  return true;
}

async function post(agent: http.Agent, url: string, body: Buffer): Promise<number> {
  const request = http.request(url, {
    agent,
    method: "POST",
    headers: { "content-type": "application/x-ndjson", "content-length": body.length },
  });
  request.end(body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode ?? 0;
}

/** How long sealing and the merges that follow may take. */
const sealMsMax = 120_000;

/** Waits until nearly nothing is in memory alone, and the number of segments stands still. */
export async function allSealed(service: Service): Promise<void> {
  let segments = -1;
  for (const deadline = performance.now() + sealMsMax; performance.now() < deadline; ) {
    const answer = await fetch(`${service.http}/api/v1/cluster`);
    const { stored } = (await answer.json()) as {
      stored: { segments: number; memoryBytes: number };
    };
    if (stored.memoryBytes < 1024 * 1024 && stored.segments === segments) return;
    segments = stored.segments;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

export function quantile(values: readonly number[], phi: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(phi * sorted.length))] ?? Number.NaN);
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

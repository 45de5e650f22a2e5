import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Service } from "../service.ts";

let service: Service;
before(async () => {
  service = await Service.start();
});
after(() => service.stop());

interface Event {
  readonly id: string;
  readonly record: Record<string, string>;
}

/** Follows until so many records came; `lastId` resumes. */
async function follow(
  query: string,
  count: number,
  lastId = "",
): Promise<{ done: Promise<Event[]>; stop: () => void }> {
  const abort = new AbortController();
  const headers: Record<string, string> = lastId === "" ? {} : { "last-event-id": lastId };
  const url = `${service.http}/api/v1/tail?${new URLSearchParams({ query })}`;
  const response = await fetch(url, { headers, signal: abort.signal });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  const collect = async (): Promise<Event[]> => {
    const events: Event[] = [];
    let text = "";
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const parts = text.split("\n\n");
      text = parts.pop() ?? "";
      for (const part of parts) {
        const found = /^event: record\nid: (\S+)\ndata: (.*)$/.exec(part);
        if (found === null) continue;
        events.push({
          id: found[1] as string,
          record: JSON.parse(found[2] as string) as Record<string, string>,
        });
      }
      if (events.length >= count) break;
    }
    abort.abort();
    return events.slice(0, count);
  };
  return { done: collect(), stop: () => abort.abort() };
}

const record = (n: number) => ({
  service: `t${n % 5}`,
  host: "h",
  n: String(n),
  _msg: `line ${n}`,
});
const numbers = (events: readonly Event[]) =>
  events.map((event) => Number(event.record["n"])).sort((a, b) => a - b);

test("a tail gives what is stored after it began, each once", async () => {
  await service.ship([record(1)]);
  const { done } = await follow("n:*", 40);
  await service.ship(Array.from({ length: 20 }, (_, i) => record(100 + i)));
  await service.ship(Array.from({ length: 20 }, (_, i) => record(120 + i)));
  assert.deepEqual(
    numbers(await done),
    Array.from({ length: 40 }, (_, i) => 100 + i),
  );
});

test("a tail that broke off goes on after the last event, with no gap and no double", async () => {
  const first = await follow("n:*", 7);
  await service.ship(Array.from({ length: 30 }, (_, i) => record(200 + i)));
  const seen = await first.done;
  await service.ship(Array.from({ length: 30 }, (_, i) => record(230 + i)));
  const second = await follow("n:*", 53, seen.at(-1)?.id);
  const rest = await second.done;
  assert.deepEqual(
    numbers([...seen, ...rest]),
    Array.from({ length: 60 }, (_, i) => 200 + i),
  );
});

test("a span that ends now does not end a tail", async () => {
  const { done } = await follow("_time:5m n:*", 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await service.ship([record(300)]);
  assert.deepEqual(numbers(await done), [300]);
});

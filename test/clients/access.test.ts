// Goal: what an anonymous ZooKeeper client may do below /logkeep, on a service of this machine and on one that others reach.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { perms } from "../../coordinator/src/wire/constants.ts";
import { Service, temporaryFolder } from "../service.ts";

const inbox = "/logkeep/inbox/default";
const record = Buffer.from('{"service":"anonymous","_msg":"by znode"}');
const refused = { code: "NOAUTH" };
const everywhere = ["--coordinator", "0.0.0.0:0"];

async function start(
  context: TestContext,
  dataDir: string,
  args: readonly string[] = [],
): Promise<Service> {
  const service = await Service.start({ dataDir, args });
  context.after(() => service.kill());
  return service;
}

function connect(context: TestContext, service: Service): ZooKeeperClient {
  const port = service.coordinator.slice(service.coordinator.lastIndexOf(":") + 1);
  const client = new ZooKeeperClient({ connect: `127.0.0.1:${port}` });
  context.after(() => client.close());
  return client;
}

/** Makes an API key as an operator does, before anybody else can reach the service; gives its id. */
async function createKey(service: Service): Promise<string> {
  const response = await fetch(`${service.http}/api/v1/keys`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: "operator", scopes: ["admin"] }),
  });
  assert.equal(response.status, 201);
  const { key } = (await response.json()) as { readonly key: { readonly id: string } };
  return key.id;
}

/** Every znode at and below `/logkeep`, with the rights that anybody has, as the cluster's own identity sees them. */
async function rightsOfAnybody(
  client: ZooKeeperClient,
  dataDir: string,
): Promise<ReadonlyMap<string, number>> {
  const secret = readFileSync(path.join(dataDir, "cluster-secret"), "utf8").trim();
  await client.addAuth("digest", `logkeep:${secret}`);
  const rights = new Map<string, number>();
  for (let left = ["/logkeep"]; left.length > 0; ) {
    const at = left.pop() as string;
    const { acl } = await client.getAcl(at);
    const open = acl.filter(({ id }) => id.scheme !== "digest");
    rights.set(
      at,
      open.reduce((bits, entry) => bits | entry.perms, 0),
    );
    const { children } = await client.getChildren(at);
    left = left.concat(children.map((name) => `${at}/${name}`));
  }
  return rights;
}

test("on loopback anybody reads the topology and ships by the inbox, and sees no keys", async (context) => {
  const dataDir = temporaryFolder();
  const service = await start(context, dataDir);
  const id = await createKey(service);
  const anonymous = connect(context, service);
  assert.ok((await anonymous.getChildren("/logkeep")).children.includes("shards"));
  const made = await anonymous.create(`${inbox}/rec-`, record, { mode: "persistentSequential" });
  const drained = Promise.withResolvers<void>();
  const there = await anonymous.exists(made.path, { watch: () => drained.resolve() });
  if (there !== null) await drained.promise;
  assert.equal(await service.count('{service="anonymous"}'), 1);
  await assert.rejects(anonymous.delete(inbox), refused);
  await assert.rejects(anonymous.setData(inbox, record), refused);
  await assert.rejects(anonymous.create("/logkeep/shards/x"), refused);
  await assert.rejects(anonymous.getChildren("/logkeep/keys"), refused);
  await assert.rejects(anonymous.getData(`/logkeep/keys/${id}`), refused);
  for (const [at, bits] of await rightsOfAnybody(connect(context, service), dataDir)) {
    const isKey = at.startsWith("/logkeep/keys");
    const allowed = isKey ? 0 : at === inbox ? perms.read | perms.create : perms.read;
    assert.equal(bits & ~allowed, 0, `${at} gives anybody ${bits}`);
  }
});

test("beyond loopback nothing below /logkeep is anybody's, and back on loopback keys stay closed", async (context) => {
  const dataDir = temporaryFolder();
  const before = await start(context, dataDir);
  const id = await createKey(before);
  await before.stop();

  const exposed = await start(context, dataDir, everywhere);
  const anonymous = connect(context, exposed);
  for (const at of ["/logkeep", "/logkeep/shards", inbox, "/logkeep/keys", `/logkeep/keys/${id}`]) {
    await assert.rejects(anonymous.getData(at), refused, at);
    await assert.rejects(anonymous.getChildren(at), refused, at);
    await assert.rejects(anonymous.exists(at), refused, at);
    await assert.rejects(anonymous.setData(at, record), refused, at);
    // The root is everybody's, as ZooKeeper's is, so what keeps `/logkeep` itself is what it holds.
    const kept = at === "/logkeep" ? { code: "NOTEMPTY" } : refused;
    await assert.rejects(anonymous.delete(at), kept, at);
    await assert.rejects(anonymous.create(`${at}/rec-`, record), refused, at);
  }
  // What is not ours stays as open as a ZooKeeper is.
  assert.equal((await anonymous.create("/app", record)).path, "/app");
  for (const [at, bits] of await rightsOfAnybody(connect(context, exposed), dataDir)) {
    assert.equal(bits, 0, `${at} gives anybody ${bits}`);
  }
  await exposed.stop();

  const back = await start(context, dataDir);
  const again = connect(context, back);
  assert.ok((await again.getChildren("/logkeep")).children.includes("keys"));
  await assert.rejects(again.getChildren("/logkeep/keys"), refused);
  await assert.rejects(again.getData(`/logkeep/keys/${id}`), refused);
});

test("beyond loopback without a key the service does not start, and says what mends it", async () => {
  await assert.rejects(Service.start({ args: everywhere }), /needs an API key first/);
});

// Goal: a program that uses node-zookeeper-client runs on the whole service, also while the service is killed and started again.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import test, { after, before, type TestContext } from "node:test";
import { Service } from "../service.ts";

/** As much of node-zookeeper-client as is used here; it has no types of its own. */
interface Client extends NodeJS.EventEmitter {
  connect(): void;
  close(): void;
  getSessionId(): Buffer;
  create(path: string, data: Buffer, mode: number, done: Done<string>): void;
  getData(path: string, watcher: Watcher | undefined, done: Done<Buffer>): void;
  setData(path: string, data: Buffer, version: number, done: Done<Stat>): void;
  getChildren(path: string, watcher: Watcher | undefined, done: Done<string[]>): void;
  exists(path: string, watcher: Watcher | undefined, done: Done<Stat | null>): void;
  remove(path: string, version: number, done: Done<void>): void;
  mkdirp(path: string, done: Done<string>): void;
  transaction(): Transaction;
}
interface Transaction {
  create(path: string, data: Buffer): Transaction;
  setData(path: string, data: Buffer, version?: number): Transaction;
  check(path: string, version?: number): Transaction;
  remove(path: string): Transaction;
  commit(done: Done<readonly object[]>): void;
}
interface Stat {
  readonly version: number;
  readonly ephemeralOwner: Buffer;
}
type Watcher = (event: { readonly name: string; readonly path: string }) => void;
type Done<T> = (error: Error | null, value: T) => void;

const { createClient, CreateMode } = createRequire(import.meta.url)("node-zookeeper-client") as {
  createClient(address: string, options: object): Client;
  readonly CreateMode: Readonly<Record<"EPHEMERAL" | "PERSISTENT", number>>;
};

const eventTimeoutMs = 60_000;

let service: Service;
before(async () => {
  service = await Service.start();
});
after(() => service.kill());

async function open(context: TestContext, sessionTimeout = 4_000): Promise<Client> {
  const client = createClient(service.coordinator, { sessionTimeout });
  context.after(() => client.close());
  const connected = once(client, "connected");
  client.connect();
  await connected;
  return client;
}

function call<T>(run: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => {
      if (error === null || error === undefined) resolve(value);
      else reject(error);
    });
  });
}

function create(client: Client, path: string, mode = CreateMode.PERSISTENT): Promise<string> {
  return call((done) => client.create(path, Buffer.from("x"), mode, done));
}

function exists(client: Client, path: string, watcher?: Watcher): Promise<Stat | null> {
  return call((done) => client.exists(path, watcher, done));
}

/** A watcher, and the one event that it gets, as `NAME path`. */
function watch(): { readonly watcher: Watcher; readonly event: Promise<string> } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const late = setTimeout(() => reject(new Error("the watch did not fire")), eventTimeoutMs);
  return {
    watcher: ({ name, path }) => {
      clearTimeout(late);
      resolve(`${name} ${path}`);
    },
    event: promise,
  };
}

test("an exists watch tells of a creation, a children watch of a child", async (context) => {
  const client = await open(context);
  const other = await open(context);
  const made = watch();
  assert.equal(await exists(client, "/watched", made.watcher), null);
  assert.equal(await create(other, "/watched"), "/watched");
  assert.equal(await made.event, "NODE_CREATED /watched");
  const child = watch();
  const before = await call<string[]>((done) =>
    client.getChildren("/watched", child.watcher, done),
  );
  assert.deepEqual(before, []);
  await create(other, "/watched/child");
  assert.equal(await child.event, "NODE_CHILDREN_CHANGED /watched");
});

test("setData with another version than the znode's is a conflict", async (context) => {
  const client = await open(context);
  await create(client, "/versioned");
  const set = (data: string, version: number): Promise<Stat> =>
    call((done) => client.setData("/versioned", Buffer.from(data), version, done));
  assert.equal((await set("one", 0)).version, 1);
  await assert.rejects(set("two", 0), { name: "BAD_VERSION" });
  const data = await call<Buffer>((done) => client.getData("/versioned", undefined, done));
  assert.equal(data.toString(), "one");
});

test("a transaction is all or nothing", async (context) => {
  const client = await open(context);
  const results = await call<readonly object[]>((done) =>
    client
      .transaction()
      .create("/whole", Buffer.from("a"))
      .setData("/whole", Buffer.from("b"), 0)
      .check("/whole", 1)
      .create("/whole/part", Buffer.from("c"))
      .remove("/whole/part")
      .commit(done),
  );
  assert.equal(results.length, 5);
  const failed = call<readonly object[]>((done) =>
    client.transaction().create("/half", Buffer.from("a")).check("/whole", 9).commit(done),
  );
  await assert.rejects(failed, { name: "BAD_VERSION" });
  assert.equal(await exists(client, "/half"), null);
  const data = await call<Buffer>((done) => client.getData("/whole", undefined, done));
  assert.equal(data.toString(), "b");
});

test("an ephemeral goes when its client closes", async (context) => {
  const client = await open(context);
  const owner = await open(context);
  await create(owner, "/fleeting", CreateMode.EPHEMERAL);
  const gone = watch();
  assert.deepEqual(
    (await exists(client, "/fleeting", gone.watcher))?.ephemeralOwner,
    owner.getSessionId(),
  );
  owner.close();
  assert.equal(await gone.event, "NODE_DELETED /fleeting");
});

test("a session outlives the service's SIGKILL: same id, ephemerals and watches kept", async (context) => {
  const client = await open(context, 20_000);
  const session = client.getSessionId();
  await create(client, "/kept", CreateMode.EPHEMERAL);
  await call<string>((done) => client.mkdirp("/kept-too/a/b", done));
  const changed = watch();
  await call<Buffer>((done) => client.getData("/kept-too/a", changed.watcher, done));
  const reconnected = once(client, "connected");
  await service.kill();
  const { dataDir, coordinator } = service;
  service = await Service.start({ dataDir, args: ["--coordinator", coordinator] });
  await reconnected;
  assert.deepEqual(client.getSessionId(), session);
  assert.deepEqual((await exists(client, "/kept"))?.ephemeralOwner, session);
  const other = await open(context);
  assert.notDeepEqual(other.getSessionId(), session);
  await call<Stat>((done) => other.setData("/kept-too/a", Buffer.from("y"), 0, done));
  assert.equal(await changed.event, "NODE_DATA_CHANGED /kept-too/a");
  const gone = watch();
  await exists(other, "/kept", gone.watcher);
  client.close();
  assert.equal(await gone.event, "NODE_DELETED /kept");
});

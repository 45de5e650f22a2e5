import assert from "node:assert/strict";
import test from "node:test";
import { Watches } from "../src/tree/watches.ts";
import { eventTypes, watcherTypes } from "../src/wire/constants.ts";

interface Client {
  readonly name: string;
}

const client: Client = { name: "client" };
const names = new Map<number, string>(
  Object.entries(eventTypes).map(([name, number]) => [number, name]),
);

type Setup = (watches: Watches<Client>) => void;
const change = (path: string) => ({ path, zxid: 7, acl: -1, parentAcl: -1 });

/** What a client hears, in order, as `event path`; a row's watch is left once, its change happens twice. */
const rows: readonly {
  readonly name: string;
  readonly leave: Setup;
  readonly happen: Setup;
  readonly heard: readonly string[];
}[] = [
  {
    name: "a data watch hears one change",
    leave: (w) => w.addData("/a", client),
    happen: (w) => w.dataChanged(change("/a")),
    heard: ["dataChanged /a"],
  },
  {
    name: "a data watch hears of a creation and then of nothing",
    leave: (w) => w.addData("/a", client),
    happen: (w) => w.created(change("/a")),
    heard: ["created /a"],
  },
  {
    name: "a child watch hears one change of the children",
    leave: (w) => w.addChildren("/a", client),
    happen: (w) => w.created(change("/a/b")),
    heard: ["childrenChanged /a"],
  },
  {
    name: "a watcher of data and children hears once that a znode is gone",
    leave: (w) => {
      w.addData("/a", client);
      w.addChildren("/a", client);
    },
    happen: (w) => w.deleted(change("/a")),
    heard: ["deleted /a"],
  },
  {
    name: "a child watch of the root hears of a first-level create",
    leave: (w) => w.addChildren("/", client),
    happen: (w) => w.created(change("/a")),
    heard: ["childrenChanged /"],
  },
  {
    name: "a persistent watch hears every change and of children",
    leave: (w) => w.addPersistent("/a", client),
    happen: (w) => {
      w.dataChanged(change("/a"));
      w.created(change("/a/b"));
    },
    heard: ["dataChanged /a", "childrenChanged /a", "dataChanged /a", "childrenChanged /a"],
  },
  {
    name: "a recursive watch hears everything below and no children changes",
    leave: (w) => w.addRecursive("/a", client),
    happen: (w) => {
      w.created(change("/a/b/c"));
      w.deleted(change("/a/b/c"));
      w.created(change("/ab"));
    },
    heard: ["created /a/b/c", "deleted /a/b/c", "created /a/b/c", "deleted /a/b/c"],
  },
  {
    name: "a recursive watch of the root hears of everything",
    leave: (w) => w.addRecursive("/", client),
    happen: (w) => w.dataChanged(change("/x/y")),
    heard: ["dataChanged /x/y", "dataChanged /x/y"],
  },
  {
    name: "a one-shot watch beside a persistent one is told once a change",
    leave: (w) => {
      w.addData("/a", client);
      w.addPersistent("/a", client);
    },
    happen: (w) => w.dataChanged(change("/a")),
    heard: ["dataChanged /a", "dataChanged /a"],
  },
  {
    name: "a removed watch hears nothing",
    leave: (w) => {
      w.addData("/a", client);
      w.addRecursive("/a", client);
      assert.equal(w.remove("/a", watcherTypes.children, client), false);
      assert.equal(w.remove("/a", watcherTypes.any, client), true);
      assert.equal(w.remove("/a", watcherTypes.any, client), false);
    },
    happen: (w) => w.dataChanged(change("/a")),
    heard: [],
  },
  {
    name: "a watcher that is gone leaves nothing",
    leave: (w) => {
      w.addData("/a", client);
      w.addChildren("/b", client);
      w.addRecursive("/", client);
      w.removeAll(client);
      assert.equal(w.count, 0);
      assert.equal(w.pathCount, 0);
    },
    happen: (w) => w.created(change("/b/c")),
    heard: [],
  },
];

for (const { name, leave, happen, heard } of rows) {
  test(name, () => {
    const watches = new Watches<Client>();
    leave(watches);
    happen(watches);
    happen(watches);
    assert.deepEqual(
      watches.fired.map(({ type, path }) => `${names.get(type)} ${path}`),
      heard,
    );
  });
}

const leave = {
  children: (w) => w.addChildren("/a", client),
  data: (w) => w.addData("/a", client),
  persistent: (w) => w.addPersistent("/a", client),
  persistentRecursive: (w) => w.addRecursive("/a", client),
} as const satisfies Record<string, Setup>;

type Kind = keyof typeof leave;

for (const kind of Object.keys(leave) as Kind[]) {
  test(`the type ${kind} means watches of this kind alone, and any means all`, () => {
    for (const other of Object.keys(leave) as Kind[]) {
      const watches = new Watches<Client>();
      leave[other](watches);
      assert.equal(watches.has("/a", watcherTypes[kind], client), kind === other, other);
      assert.equal(watches.remove("/a", watcherTypes[kind], client), kind === other, other);
      assert.equal(watches.has("/a", watcherTypes.any, client), kind !== other, other);
    }
  });

  test(`removing ${kind} leaves the watches of other kinds at the path`, () => {
    const watches = new Watches<Client>();
    for (const setup of Object.values(leave)) setup(watches);
    assert.equal(watches.remove("/a", watcherTypes[kind], client), true);
    assert.equal(watches.remove("/a", watcherTypes[kind], client), false);
    for (const other of Object.keys(leave) as Kind[]) {
      assert.equal(watches.has("/a", watcherTypes[other], client), kind !== other, other);
    }
    watches.created(change("/a/below/deep"));
    const isRecursive = kind !== "persistentRecursive";
    assert.equal(watches.fired.length, isRecursive ? 1 : 0);
    assert.equal(watches.remove("/a", watcherTypes.any, client), true);
    assert.equal(watches.count, 0);
  });
}

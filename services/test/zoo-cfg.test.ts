import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { parseProperties, parseZooCfg } from "../src/zoo-cfg.ts";

test("an Apache zoo.cfg gives its options, loopback by default, and warns of what is not known", () => {
  const text = [
    "# a comment",
    "tickTime=2000",
    "dataDir = /var/lib/zk",
    "dataLogDir=/var/lib/zk/",
    "clientPort=2181",
    "maxClientCnxns=0",
    "minSessionTimeout=-1",
    "maxSessionTimeout=60000",
    "initLimit=10",
    "quux=2182",
    "superUser=root",
    "",
  ].join("\r\n");
  assert.deepEqual(parseZooCfg("zoo.cfg", text), {
    host: undefined,
    options: {
      dataDir: "/var/lib/zk",
      tickTimeMs: 2000,
      port: 2181,
      connectionsPerAddress: 0,
      maxSessionTimeoutMs: 60_000,
    },
    properties: new Map([
      ["zookeeper.quux", "2182"],
      ["zookeeper.superUser", "root"],
    ]),
    warnings: ["zoo.cfg:10: quux is not known and is ignored"],
    ensemble: undefined,
    secure: undefined,
  });
});

test("a secure port stands beside the plain one", () => {
  const text = "dataDir=/a\nclientPort=1\nsecureClientPort=2\nsecureClientPortAddress=0.0.0.0\n";
  const { secure, properties } = parseZooCfg("zoo.cfg", `${text}ssl.keyStore.location=/k.pem`);
  assert.deepEqual(secure, { host: "0.0.0.0", port: 2 });
  assert.deepEqual([...properties], [["zookeeper.ssl.keyStore.location", "/k.pem"]]);
});

test("server lines make an ensemble of two or more, or of one that may grow", () => {
  const two =
    "dataDir=/a\nserver.2=h:2888:3888:observer;10.0.0.2:2181\nserver.1=[::1]:1:2|b:3:4;2181\n";
  const { ensemble } = parseZooCfg("zoo.cfg", `${two}initLimit=4\ngroup.1=1\nweight.1=3`);
  assert.deepEqual(ensemble, {
    members: [
      {
        id: 2,
        addresses: [{ host: "h", quorumPort: 2888, electionPort: 3888 }],
        role: "observer",
        client: { host: "10.0.0.2", port: 2181 },
      },
      {
        id: 1,
        addresses: [
          { host: "::1", quorumPort: 1, electionPort: 2 },
          { host: "b", quorumPort: 3, electionPort: 4 },
        ],
        role: "participant",
        client: { host: undefined, port: 2181 },
      },
    ],
    groups: new Map([[1, [1]]]),
    weights: new Map([[1, 3]]),
    version: 0,
    next: undefined,
    initLimit: 4,
    syncLimit: 5,
    listenOnAllIPs: false,
    reconfigEnabled: false,
    standaloneEnabled: true,
  });
  const one = "dataDir=/a\nserver.1=h:2888:3888";
  assert.equal(parseZooCfg("zoo.cfg", one).ensemble, undefined);
  const mayGrow = parseZooCfg("zoo.cfg", `${one}\nstandaloneEnabled=false`).ensemble;
  assert.equal(mayGrow?.members.length, 1);
});

test("members come from the file that dynamicConfigFile names, with the version in its name", (context) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "logkeep-zoo-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, "zoo.cfg.dynamic.10000000a");
  writeFileSync(file, "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:observer\n");
  const text = `dataDir=/a\ndynamicConfigFile=${file}\n`;
  const { ensemble, warnings } = parseZooCfg("zoo.cfg", text);
  assert.deepEqual(
    ensemble?.members.map(({ id, role, client }) => ({ id, role, client })),
    [
      { id: 1, role: "participant", client: { host: "0.0.0.0", port: 2181 } },
      { id: 2, role: "observer", client: undefined },
    ],
  );
  assert.equal(ensemble?.version, 0x10000000a);
  assert.deepEqual(warnings, []);
  assert.throws(() => parseZooCfg("zoo.cfg", `${text}server.3=c:1:2`), {
    message: `zoo.cfg:3: server.3 must stand in ${file}, where dynamicConfigFile has the members`,
  });
  writeFileSync(file, "server.1=a:1:2\nclientPort=2181");
  assert.throws(() => parseZooCfg("zoo.cfg", text), {
    message: `${file}:2: clientPort says no member`,
  });
});

test("a change that was seen before the end is in zoo.cfg.dynamic.next, with its version", (context) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "logkeep-zoo-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const cfg = path.join(directory, "zoo.cfg");
  const file = `${cfg}.dynamic.100000000`;
  const members = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:participant\n";
  writeFileSync(file, members);
  const text = `dataDir=/a\ndynamicConfigFile=${file}\n`;
  assert.equal(parseZooCfg(cfg, text).ensemble?.next, undefined);
  writeFileSync(`${cfg}.dynamic.next`, `${members}server.3=c:1:2:observer\nversion=100000007\n`);
  const { ensemble } = parseZooCfg(cfg, text);
  assert.deepEqual([ensemble?.members.length, ensemble?.version], [2, 0x100000000]);
  assert.deepEqual([ensemble?.next?.members.length, ensemble?.next?.version], [3, 0x100000007]);
  // Without dynamicConfigFile it is not of this file.
  assert.equal(parseZooCfg(cfg, `dataDir=/a\n${members}`).ensemble?.next, undefined);
  writeFileSync(`${cfg}.dynamic.next`, "server.1\n");
  assert.throws(() => parseZooCfg(cfg, text), {
    message: `${cfg}.dynamic.next: server.1 says no member`,
  });
});

const refused = [
  {
    text: "dataDir=/a\nsecureClientPort=2",
    says: "zoo.cfg: secureClientPort needs a clientPort, too; it listens on 127.0.0.1",
  },
  { text: "clientPort=2181", says: "zoo.cfg: dataDir is missing" },
  { text: "dataDir=/a\nclientPort=x", says: "zoo.cfg:2: clientPort must be a whole number, not x" },
  { text: "dataDir=/a\nnonsense", says: "zoo.cfg:2: expected key=value, not nonsense" },
  {
    text: "dataDir=/a\nserver.1=a:2888",
    says: "server.1 must be host:quorumPort:electionPort[:participant|observer][;[clientHost:]clientPort] with two ports, not a:2888",
  },
  {
    text: "dataDir=/a\nserver.300=a:2888:3888",
    says: "zoo.cfg:2: server.300: a server's number is from 1 to 255",
  },
  {
    text: "dataDir=/a\nserver.1=a:1:2\nserver.2=b:1:2\nsyncLimit=0",
    says: "zoo.cfg:4: syncLimit must be at least 1",
  },
  {
    text: "dataDir=/a\nserver.x=a:1:2\nserver.2=b:1:2",
    says: "zoo.cfg:2: server.x: after the dot must stand a number",
  },
  {
    text: "dataDir=/a\nserver.1=a:1:2\nserver.1=b:1:2",
    says: "zoo.cfg:3: server.1 stands at zoo.cfg:2: server.1, too",
  },
  {
    text: "dataDir=/a\nserver.1=a:1:2\nserver.2=a:3:2",
    says: "server.1 and server.2 are both at a:2",
  },
  {
    text: "dataDir=/a\nserver.1=a:1:2\nserver.2=b:1:2\ngroup.1=1",
    says: "every voter must be in one group, and groups and weights name members alone",
  },
  {
    text: "dataDir=/a\nserver.1=a:1:2\nserver.2=b:1:2\nreconfigEnabled=yes",
    says: "zoo.cfg:4: reconfigEnabled must be true or false, not yes",
  },
];

for (const { text, says } of refused) {
  test(`refused: ${says}`, () => {
    assert.throws(() => parseZooCfg("zoo.cfg", text), { code: "config.invalid", message: says });
  });
}

test("properties are read as a JVM gets them", () => {
  const found = parseProperties("zookeeper.a=super:D/In=\n\n=x\nreadonlymode.enabled=true");
  assert.deepEqual(
    [...found],
    [
      ["zookeeper.a", "super:D/In="],
      ["readonlymode.enabled", "true"],
    ],
  );
});

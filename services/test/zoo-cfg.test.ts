import assert from "node:assert/strict";
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
    host: "127.0.0.1",
    options: {
      host: "127.0.0.1",
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
    secure: undefined,
  });
});

test("a secure port stands beside the plain one", () => {
  const text = "dataDir=/a\nclientPort=1\nsecureClientPort=2\nsecureClientPortAddress=0.0.0.0\n";
  const { secure, properties } = parseZooCfg("zoo.cfg", `${text}ssl.keyStore.location=/k.pem`);
  assert.deepEqual(secure, { host: "0.0.0.0", port: 2 });
  assert.deepEqual([...properties], [["zookeeper.ssl.keyStore.location", "/k.pem"]]);
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
    text: "dataDir=/a\nserver.1=a:2888:3888",
    says: "zoo.cfg:2: an ensemble of several servers is not supported by this version",
  },
  {
    text: "dataDir=/a\ndataLogDir=/b",
    says: "zoo.cfg: dataLogDir must be dataDir in this version",
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

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { optionsOfProperties, secureOf } from "../src/zoo-properties.ts";

test("properties of ZooKeeper become options, with and without their prefix", () => {
  const options = optionsOfProperties(
    new Map([
      ["zookeeper.DigestAuthenticationProvider.superDigest", "super:x="],
      ["zookeeper.superUser", "root"],
      ["zookeeper.allowSaslFailedClients", "true"],
      ["znode.container.checkIntervalMs", "1000"],
      ["zookeeper.znode.container.maxPerMinute", "60"],
      ["zookeeper.sessionRequireClientSASLAuth", "true"],
      ["zookeeper.4lw.commands.whitelist", "stat, ruok"],
      ["jute.maxbuffer", "0x200000"],
      ["zookeeper.globalOutstandingLimit", "1000"],
      ["zookeeper.autopurge.snapRetainCount", "5"],
      ["zookeeper.commitLogCount", "700"],
      ["zookeeper.enforceQuota", "true"],
      ["zookeeper.digest.enabled", "false"],
      ["zookeeper.admin.enableServer", "true"],
      ["zookeeper.admin.serverPort", "8888"],
      ["zookeeper.admin.restore.enabled", "false"],
      ["zookeeper.admin.rateLimiterIntervalInMS", "1000"],
      ["unknown", "x"],
    ]),
  );
  assert.deepEqual(options, {
    superDigest: "super:x=",
    saslSuperUser: "root",
    allowSaslFailure: true,
    containerCheckMs: 1000,
    containersPerMinute: 60,
    schemesRequired: ["sasl"],
    words: ["stat", "ruok"],
    frameBytes: 2 * 1024 * 1024,
    outstandingMax: 1000,
    snapshotsKept: 5,
    commitLogCount: 700,
    enforceQuota: true,
    digests: false,
    admin: {
      host: "127.0.0.1",
      port: 8888,
      snapshotEnabled: true,
      restoreEnabled: false,
      rateMs: 1000,
    },
  });
});

test("SASL between members is refused rather than left out", () => {
  const name = "zookeeper.quorum.auth.enableSasl";
  assert.deepEqual(optionsOfProperties(new Map([[name, "false"]])), {});
  assert.throws(() => optionsOfProperties(new Map([[name, "true"]])), {
    code: "config.invalid",
    message: "quorum.auth.enableSasl is not supported: members prove themselves by sslQuorum",
  });
});

test("metrics are shown where metricsProvider says, on loopback unless it says otherwise", () => {
  const metricsOf = (values: Readonly<Record<string, string>>) =>
    optionsOfProperties(
      new Map(
        Object.entries(values).map(([key, value]) => [`zookeeper.metricsProvider.${key}`, value]),
      ),
    ).metrics;
  const className = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
  assert.deepEqual(metricsOf({ className }), { host: "127.0.0.1", port: 7000, ofProcess: true });
  assert.deepEqual(
    metricsOf({ className, httpHost: "10.0.0.1", httpPort: "7001", exportJvmInfo: "false" }),
    { host: "10.0.0.1", port: 7001, ofProcess: false },
  );
  assert.equal(metricsOf({}), undefined);
  const byDefault = "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider";
  assert.equal(metricsOf({ className: byDefault, httpPort: "7000" }), undefined);
  assert.throws(() => metricsOf({ className: "com.example.Other" }), { code: "config.invalid" });
  assert.throws(() => metricsOf({ className, httpPort: "70000" }), { code: "config.invalid" });
});

test("users of SASL come from the JAAS file that a property names", (context) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "logkeep-jaas-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, "jaas.conf");
  writeFileSync(file, 'Server { x required user_super="a" user_bob="b"; };');
  const properties = new Map([
    ["java.security.auth.login.config", file],
    ["zookeeper.SASLAuthenticationProvider.superPassword", "other"],
  ]);
  const { saslUsers } = optionsOfProperties(properties);
  assert.deepEqual(
    [...(saslUsers ?? [])],
    [
      ["super", "other"],
      ["bob", "b"],
    ],
  );
  const fromCfg = optionsOfProperties(
    new Map([["zookeeper.java.security.auth.login.config", file]]),
  );
  assert.equal(fromCfg.saslUsers?.get("super"), "a");
  const missing = new Map([["java.security.auth.login.config", `${file}.not`]]);
  assert.throws(() => optionsOfProperties(missing), { code: "config.invalid" });
});

test("a property with a wrong value is refused by name", () => {
  for (const [name, value, says] of [
    ["znode.container.checkIntervalMs", "soon", "must be a whole number, not soon"],
    ["zookeeper.admin.enableServer", "on", "must be true or false, not on"],
    ["zookeeper.allowSaslFailedClients", "yes", "must be true or false, not yes"],
  ] as const) {
    assert.throws(() => optionsOfProperties(new Map([[name, value]])), {
      code: "config.invalid",
      message: `${name} ${says}`,
    });
  }
});

test("a secure port has a key store, or is refused", (context) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "logkeep-tls-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const store = path.join(directory, "k.pem");
  writeFileSync(store, "-----BEGIN PRIVATE KEY-----");
  writeFileSync(path.join(directory, "password"), "secret\n");
  const at = { host: undefined, port: 7 };
  const properties = new Map([
    ["zookeeper.ssl.keyStore.location", store],
    ["zookeeper.ssl.keyStore.passwordPath", path.join(directory, "password")],
    ["zookeeper.X509AuthenticationProvider.superUser", "CN=root"],
  ]);
  const text = "-----BEGIN PRIVATE KEY-----";
  assert.deepEqual(secureOf(at, properties), {
    ...at,
    material: { key: text, cert: text, passphrase: "secret" },
    trust: undefined,
    clientAuth: "need",
    superSubject: "CN=root",
  });
  assert.equal(secureOf(undefined, properties), undefined);
  for (const [name, value] of [
    ["zookeeper.ssl.keyStore.location", `${store}.not`],
    ["zookeeper.ssl.clientAuth", "maybe"],
  ] as const) {
    const wrong = new Map([...properties, [name, value]]);
    assert.throws(() => secureOf(at, wrong), { code: "config.invalid" }, name);
  }
  assert.throws(() => secureOf(at, new Map()), { code: "config.invalid" });
});

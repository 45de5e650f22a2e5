import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ca, one, two } from "../../cluster/test/peers-certificates-given.ts";
import { settingsSchema } from "../../config/src/schema.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { checkCertificates } from "../src/certificate-check.ts";
import { PeerCertificateFiles } from "../src/peer-certificates.ts";

const folder = mkdtempSync(path.join(tmpdir(), "logkeep-certificates-"));
const files = {
  tlsCaFile: path.join(folder, "ca.pem"),
  tlsCertFile: path.join(folder, "node.pem"),
  tlsKeyFile: path.join(folder, "node.key"),
};
const settings = settingsSchema.parse({ peer: files });

/** Between two looks at the files. */
const everyMs = 10;

beforeEach(() => {
  writeFileSync(files.tlsCaFile, ca);
  writeFileSync(files.tlsCertFile, one.cert);
  writeFileSync(files.tlsKeyFile, one.key);
});

after(() => rmSync(folder, { recursive: true, force: true }));

async function until(what: string, claim: () => boolean): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!claim()) {
    if (performance.now() > endMs) throw new Error(`${what} did not come to be`);
    await sleep(5);
  }
}

test("without files in the settings there are no certificates", async () => {
  const none = settingsSchema.parse({});
  assert.equal(await PeerCertificateFiles.open(none, silentLogger), undefined);
});

test("files that are missing, or do not fit each other, end the start and say why", async () => {
  writeFileSync(files.tlsKeyFile, two.key);
  const open = () => PeerCertificateFiles.open(settings, silentLogger);
  await assert.rejects(open, {
    code: "config.invalid",
    message: /node\.key is not that of the certificate in .*node\.pem/,
  });
  rmSync(files.tlsKeyFile);
  await assert.rejects(open, { code: "config.invalid", message: /no such file.*node\.key/ });
  writeFileSync(files.tlsKeyFile, one.key);
  writeFileSync(files.tlsCaFile, "nothing");
  await assert.rejects(open, { code: "config.invalid", message: /ca\.pem holds no certificate/ });
  writeFileSync(files.tlsCaFile, two.cert);
  await assert.rejects(open, {
    code: "config.invalid",
    message: /node\.pem was not signed by the authority in .*ca\.pem: it names "CN=/,
  });
});

test("a certificate whose time is over, or has not come, is told with its file and day", () => {
  const names = { ca: "ca.pem", cert: "node.pem", key: "node.key" };
  const found = { ca, ...one };
  const { validFrom, validTo } = new X509Certificate(one.cert);
  checkCertificates(names, found, Date.parse(validFrom) + 1000);
  const check = (at: string, ms: number) => () =>
    checkCertificates(names, found, Date.parse(at) + ms);
  assert.throws(check(validTo, 1000), /in node\.pem has expired on /);
  assert.throws(check(validFrom, -1000), /in node\.pem is valid from .* on only/);
});

for (const [name, file] of Object.entries(files)) {
  test(`a file that is empty ends the start, and while it runs leaves what was there: ${name}`, async () => {
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    const source = await PeerCertificateFiles.open(settings, logger, everyMs);
    assert.ok(source !== undefined);
    try {
      writeFileSync(file, "");
      await until("a warning", () => JSON.stringify(warnings).includes(`${file} is empty`));
      assert.deepEqual(source.current(), { ca, ...one });
    } finally {
      await source.close();
    }
    const open = () => PeerCertificateFiles.open(settings, silentLogger);
    await assert.rejects(open, { code: "config.invalid", message: /is empty/ });
  });
}

test("renewed files count once they fit each other; until then those before do, and it is said once", async () => {
  const warnings: object[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  const source = await PeerCertificateFiles.open(settings, logger, everyMs);
  assert.ok(source !== undefined);
  try {
    let changes = 0;
    const stop = source.onChange(() => changes++);
    writeFileSync(files.tlsCertFile, two.cert);
    // A look may have met the file while it was written.
    await until("a warning", () =>
      JSON.stringify(warnings).includes("is not that of the certificate"),
    );
    const { length } = warnings;
    await sleep(10 * everyMs);
    assert.deepEqual(source.current(), { ca, ...one });
    assert.deepEqual([changes, warnings.length], [0, length]);
    writeFileSync(files.tlsKeyFile, two.key);
    await until("the renewed certificate", () => changes > 0);
    assert.deepEqual(source.current(), { ca, ...two });
    stop();
  } finally {
    await source.close();
  }
});

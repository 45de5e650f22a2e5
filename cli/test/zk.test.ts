import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { after, before, test } from "node:test";

import { openServer, type TestServer } from "../../coordinator/test/client-server.ts";
import { registerVerbs } from "../src/cli.ts";
import type { CliIo } from "../src/io.ts";
import { programOf, runCli } from "../src/program.ts";
import { registerZk } from "../src/zk.ts";
import { aclParse, aclText } from "../src/zk-print.ts";

let server: TestServer;

before(async () => {
  server = await openServer();
});

after(() => server.close());

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function zk(
  args: readonly string[],
  more: { readonly stdin?: string; readonly signal?: AbortSignal; readonly server?: string } = {},
): Promise<Run> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const io: CliIo = {
    stdin: Readable.from([Buffer.from(more.stdin ?? "")]),
    stdout,
    stderr,
    env: {},
    isTTY: false,
    signal: more.signal ?? new AbortController().signal,
  };
  const program = programOf(io);
  registerVerbs(program, io);
  registerZk(program, io);
  const address = more.server ?? server.address + server.chroot;
  const code = await runCli(program, ["zk", "--server", address, ...args], io);
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

test("create, get, set, stat, ls and delete", async () => {
  assert.deepEqual(await zk(["create", "/a", "one"]), { code: 0, out: "/a\n", err: "" });
  assert.equal((await zk(["get", "/a"])).out, "one");
  assert.equal((await zk(["set", "/a", "two", "--version", "0"])).code, 0);
  assert.match((await zk(["get", "/a", "--stat"])).out, /^two\nczxid = 0x/);
  assert.match((await zk(["stat", "/a"])).out, /^version = 1$/m);
  await zk(["create", "/a/c"]);
  await zk(["create", "/a/b"]);
  await zk(["create", "/a/b/d"]);
  assert.equal((await zk(["ls", "/a"])).out, "b\nc\n");
  assert.equal((await zk(["ls", "/a", "-R"])).out, "/a/b\n/a/b/d\n/a/c\n");
  assert.equal((await zk(["create", "-s", "/a/n-"])).out, "/a/n-0000000003\n".replace("3", "2"));
  const full = await zk(["delete", "/a"]);
  assert.equal(full.code, 1);
  assert.match(full.err, /NOTEMPTY at \/a: the znode has children; -R/);
  assert.equal((await zk(["delete", "/a", "-R"])).code, 0);
  assert.equal((await zk(["stat", "/a"])).code, 1);
});

test("a version that is another is refused", async () => {
  await zk(["create", "/v", "one"]);
  for (const args of [
    ["set", "/v", "two", "--version", "7"],
    ["delete", "/v", "--version", "7"],
    ["setAcl", "/v", "world:anyone:r", "--version", "7"],
  ]) {
    const { code, out, err } = await zk(args);
    assert.deepEqual([code, out], [1, ""], args.join(" "));
    assert.match(err, /BADVERSION at \/v/);
  }
  assert.equal((await zk(["get", "/v"])).out, "one");
});

test("what may not be listed is named, and the rest is listed", async () => {
  for (const path of ["/some", "/some/open", "/some/open/x", "/some/shut", "/some/shut/y"]) {
    await zk(["create", path]);
  }
  await zk(["--auth", "u:p", "setAcl", "/some/shut", "auth::cdrwa"]);
  const { code, out, err } = await zk(["ls", "-R", "/some"]);
  assert.equal(out, "/some/open\n/some/open/x\n/some/shut\n");
  assert.equal(code, 1);
  assert.match(err, /NOAUTH at \/some\/shut: what is below is not listed/);
  const whole = await zk(["--auth", "u:p", "ls", "-R", "/some"]);
  assert.deepEqual([whole.code, whole.err], [0, ""]);
  assert.match(whole.out, /\/some\/shut\/y\n$/);
});

test("JSON has text or base64, and the stat", async () => {
  await zk(["create", "/j", "-"], { stdin: "text" });
  const parsed = JSON.parse((await zk(["--json", "get", "/j"])).out);
  assert.equal(parsed.data, "text");
  assert.equal(parsed.stat.dataLength, 4);
  assert.match(parsed.stat.czxid, /^0x[0-9a-f]+$/);
  assert.deepEqual(JSON.parse((await zk(["--json", "ls", "/"])).out).includes("j"), true);
});

test("a failure is one line on stderr and exit code 1, wrong usage is 2", async () => {
  const cases = [
    { args: ["get", "/none"], code: 1, err: /NONODE at \/none: there is no such znode\n$/ },
    { args: ["get", "relative"], code: 1, err: /BADARGUMENTS/ },
    { args: ["set", "/none"], code: 2, err: /missing required argument/ },
    { args: ["set", "/none", "x", "--version", "y"], code: 2, err: /not a whole number/ },
    { args: ["create", "/x", "-e", "-c"], code: 2, err: /exclude each other/ },
    { args: ["multi", "frobnicate /x"], code: 2, err: /not an operation/ },
    { args: ["setAcl", "/x", "nonsense"], code: 2, err: /scheme:id:perms/ },
    { args: ["4lw", "toolong"], code: 2, err: /four-letter/ },
    { args: ["nonsense"], code: 2, err: /unknown command/ },
  ];
  for (const { args, code, err } of cases) {
    const run = await zk(args);
    assert.equal(run.code, code, args.join(" "));
    assert.match(run.err, err);
  }
});

test("an unreachable server is said within the timeout", async () => {
  const run = await zk(["--timeout", "0.3", "ls", "/"], { server: "127.0.0.1:1" });
  assert.equal(run.code, 1);
  assert.match(run.err, /no coordinator answers at 127\.0\.0\.1:1; is it running/);
});

test("a multi is all or nothing", async () => {
  const operations = [
    "create /m one two",
    "check /m 0",
    "set /m 0 three",
    "create-sequential /m/s-",
  ];
  const run = await zk(["multi", ...operations]);
  assert.equal(run.out, "/m\n/m\n/m\n/m/s-0000000000\n");
  assert.equal((await zk(["get", "/m"])).out, "three");
  const failed = await zk(["multi", "-"], { stdin: "create /m2\ncheck /m 0\n" });
  assert.equal(failed.code, 1);
  assert.match(failed.err, /BADVERSION at \/m in operation 1/);
  assert.equal((await zk(["stat", "/m2"])).code, 1);
});

test("ACLs are set, shown and enforced, and --auth opens", async () => {
  await zk(["create", "/acl", "x"]);
  const auth = ["--auth", "u:p"];
  assert.equal((await zk([...auth, "setAcl", "/acl", "auth::cdrwa,world:anyone:a"])).code, 0);
  assert.match((await zk(["getAcl", "/acl"])).out, /^digest:u:.*:cdrwa\nworld:anyone:a\n$/);
  const refused = await zk(["get", "/acl"]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /NOAUTH at \/acl.*--auth/);
  assert.equal((await zk([...auth, "get", "/acl"])).out, "x");
});

test("an ACL prints as it is read", () => {
  for (const text of ["world:anyone:cdrwa", "digest:user:hash=:r", "ip:10.0.0.0/8:cw"]) {
    assert.deepEqual(aclParse(text).map(aclText), [text]);
  }
});

test("watch prints changes, and ends with its count", async () => {
  await zk(["create", "/w"]);
  const watching = zk(["watch", "/w", "-R", "--count", "2"]);
  for (let tries = 0; tries < 100; tries++) {
    await zk(["create", "-s", "/w/x-"]);
    const ended = await Promise.race([watching.then(() => true), zk(["sync"]).then(() => false)]);
    if (ended) break;
  }
  const { code, out } = await watching;
  assert.equal(code, 0);
  assert.match(out, /^(created \/w\/x-\d{10}\n){2}$/);
});

test("an ephemeral is held until interrupted", async () => {
  const interrupt = new AbortController();
  const held = zk(["create", "-e", "/held"], { signal: interrupt.signal });
  while ((await zk(["stat", "/held"])).code !== 0);
  interrupt.abort();
  assert.equal((await held).code, 0);
  assert.equal((await zk(["stat", "/held"])).code, 1);
});

test("four-letter words are answered", async () => {
  assert.equal((await zk(["4lw", "ruok"])).out, "imok\n");
  assert.match((await zk(["4lw", "srvr"])).out, /^Zookeeper version: /);
});

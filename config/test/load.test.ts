import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServiceError } from "../../kit/src/errors.ts";
import { describeSettings } from "../src/describe.ts";
import { flagValues, settingFlags } from "../src/flags.ts";
import { loadSettings, type SettingSources } from "../src/load.ts";

const file = (text: string) => ({ file: { name: "logkeep.yaml", text } });

function problemsOf(sources: SettingSources): readonly string[] {
  try {
    loadSettings(sources);
  } catch (thrown) {
    assert.ok(thrown instanceof ServiceError, String(thrown));
    assert.equal(thrown.code, "config.invalid");
    return thrown.fields["problems"] as readonly string[];
  }
  return [];
}

test("without any source every setting has its default", () => {
  const { settings, origins } = loadSettings({});
  assert.equal(settings.http.listen, "127.0.0.1:7070");
  assert.equal(settings.storage.retention.diskShare, 0.8);
  assert.deepEqual(settings.roles, ["coordinator", "ingest", "query", "alerts"]);
  assert.equal(settings.coordinator.connect, undefined);
  assert.equal(origins.size, 0);
});

test("a flag overrides a variable, which overrides the file, which overrides the default", () => {
  const text = "node:\n  id: 2\nhttp:\n  listen: 127.0.0.1:1\npeer:\n  listen: 127.0.0.1:2\n";
  const { settings, origins } = loadSettings({
    ...file(text),
    env: { LOGKEEP_NODE_ID: "3", LOGKEEP_HTTP_LISTEN: "127.0.0.1:3" },
    flags: { "node.id": "4" },
  });
  assert.equal(settings.node.id, 4);
  assert.equal(settings.http.listen, "127.0.0.1:3");
  assert.equal(settings.peer.listen, "127.0.0.1:2");
  assert.deepEqual(Object.fromEntries(origins), {
    "node.id": "flag",
    "http.listen": "LOGKEEP_HTTP_LISTEN",
    "peer.listen": "logkeep.yaml:6",
  });
});

test("certificates for other nodes need all three of their files", () => {
  const two = { "peer.tlsCaFile": "ca.pem", "peer.tlsKeyFile": "node.key" };
  assert.deepEqual(problemsOf({ flags: two }), [
    "flag: peer.tlsCaFile needs peer.tlsCertFile as well",
    "flag: peer.tlsKeyFile needs peer.tlsCertFile as well",
  ]);
  assert.deepEqual(problemsOf({ flags: { ...two, "peer.tlsCertFile": "node.pem" } }), []);
});

test("settings cannot be changed after they are loaded", () => {
  const { settings } = loadSettings({});
  assert.throws(() => {
    (settings.storage.retention as { days: number }).days = 1;
  }, TypeError);
});

const taken: readonly (readonly [name: string, value: string, path: string, read: unknown])[] = [
  ["LOGKEEP_HTTP_BODY_MAX_BYTES", "32MiB", "http.bodyMaxBytes", 33_554_432],
  ["LOGKEEP_STORAGE_RETENTION_MAX_BYTES", "1.5 GB", "storage.retention.maxBytes", 1.5e9],
  ["LOGKEEP_STORAGE_RETENTION_DAYS", "0.5", "storage.retention.days", 0.5],
  ["LOGKEEP_STORAGE_SEAL_AGE_MS", "90s", "storage.sealAgeMs", 90_000],
  ["LOGKEEP_AUTH_INSECURE_LISTEN", "yes", "auth.insecureListen", true],
  ["LOGKEEP_ROLES", "all", "roles", ["coordinator", "ingest", "query", "alerts"]],
  ["LOGKEEP_ROLES", "coordinator, query", "roles", ["coordinator", "query"]],
  ["LOGKEEP_COORDINATOR_CONNECT", "a:1,[::1]:2", "coordinator.connect", ["a:1", "[::1]:2"]],
  ["LOGKEEP_NODE_ID", "", "node.id", 1],
];

for (const [name, value, path, read] of taken) {
  test(`the variable ${name}=${value} sets ${path}`, () => {
    const { settings } = loadSettings({ env: { [name]: value } });
    const found = path.split(".").reduce<unknown>((at, part) => (at as never)[part], settings);
    assert.deepEqual(found, read);
  });
}

const refused: readonly (readonly [yaml: string, problem: string])[] = [
  ["http:\n  lisen: 1", "logkeep.yaml:2: http.lisen is no setting; did you mean http.listen?"],
  ["\nhtpp:\n  listen: 1", "logkeep.yaml:2: htpp is no setting; did you mean http?"],
  ["zzzzzz: 1", "logkeep.yaml:1: zzzzzz is no setting"],
  ["__proto__:\n  polluted: 1", "logkeep.yaml:1: __proto__ is no setting"],
  ["http: 3", "logkeep.yaml:1: http is a section and must hold settings"],
  ["node:\n  id: 256", "logkeep.yaml:2: node.id must be at most 255, not 256"],
  ["node:\n  id: 0", "logkeep.yaml:2: node.id must be at least 1, not 0"],
  ["node:\n  id: 1.5", "logkeep.yaml:2: node.id must be a whole number, not 1.5"],
  ["node:\n  id: [1]", "logkeep.yaml:2: node.id must be a whole number, not [1]"],
  ["node:\n  id: {a: 1}", 'logkeep.yaml:2: node.id must be a whole number, not {"a":1}'],
  [
    "http:\n  bodyMaxBytes: much",
    'logkeep.yaml:2: http.bodyMaxBytes must be a size in bytes, as 1048576 or 64MiB, not "much"',
  ],
  [
    "http:\n  bodyMaxBytes: 1KiB",
    "logkeep.yaml:2: http.bodyMaxBytes must be at least 64 KiB, not 1024",
  ],
  [
    "http:\n  requestTimeoutMs: 2h",
    "logkeep.yaml:2: http.requestTimeoutMs must be at most 1 h, not 7200000",
  ],
  [
    "log:\n  level: loud",
    'logkeep.yaml:2: log.level must be one of debug, info, warn, error, not "loud"',
  ],
  [
    "roles: [ingest, cook]",
    "logkeep.yaml:1: roles must be all, or some of coordinator, ingest, query, alerts, " +
      'not ["ingest","cook"]',
  ],
  ["roles: []", "logkeep.yaml:1: roles must not be empty, not []"],
  [
    "storage:\n  retention:\n    days: 0",
    "logkeep.yaml:3: storage.retention.days must be above 0, not 0",
  ],
  [
    "http:\n  listen: :7070",
    "logkeep.yaml:2: http.listen needs a host, as 127.0.0.1:7070 or, on every interface, " +
      '0.0.0.0:7070, not ":7070"',
  ],
  [
    "coordinator:\n  tickTimeMs: 100",
    "default: coordinator.sessionTimeoutMs must be 2 to 20 times coordinator.tickTimeMs",
  ],
  [
    "http:\n  bodyMaxBytes: 1GiB",
    "logkeep.yaml:2: http.bodyMaxBytes must be at most http.inFlightMaxBytes",
  ],
  [
    "coordinator:\n  superDigest: hunter2",
    "logkeep.yaml:2: coordinator.superDigest must be user:base64(sha1(user:password))",
  ],
  ["- a\n- b", "logkeep.yaml:1: must hold sections of settings"],
  ["http:\n  listen: a:1\n  listen: a:2", "logkeep.yaml:3: Map keys must be unique"],
];

for (const [yaml, problem] of refused) {
  test(`the file ${JSON.stringify(yaml)} is refused`, () => {
    assert.deepEqual(problemsOf(file(yaml)), [problem]);
  });
}

test("every problem is told at once, with what brought it", () => {
  const problems = problemsOf({
    ...file("node:\n  id: x\nhttp:\n  a: 1\n"),
    env: { LOGKEEP_HTTP_LISTEN: "nowhere" },
    flags: { "peer.listen": "h:99999", "log.levle": "info" },
  });
  assert.deepEqual(problems, [
    'logkeep.yaml:2: node.id must be a whole number, not "x"',
    "logkeep.yaml:4: http.a is no setting",
    "flag: log.levle is no setting; did you mean log.level?",
    'LOGKEEP_HTTP_LISTEN: http.listen needs a host and a port, as 127.0.0.1:7070, not "nowhere"',
    'flag: peer.listen needs a port from 0 to 65535, not "h:99999"',
  ]);
});

test("an unknown variable of a section is refused, Kubernetes' own and other programs' are not", () => {
  assert.deepEqual(problemsOf({ env: { LOGKEEP_HTTP_LISTN: "a:1" } }), [
    "LOGKEEP_HTTP_LISTN sets nothing; did you mean LOGKEEP_HTTP_LISTEN?",
  ]);
  const { warnings } = loadSettings({
    env: {
      LOGKEEP_HTTP_SERVICE_HOST: "10.0.0.1",
      LOGKEEP_HTTP_PORT_7070_TCP_ADDR: "10.0.0.1",
      LOGKEEP_PORT: "tcp://10.0.0.1:7070",
      LOGKEEP_SOAK_SEEDS: "9",
      LOGKEEP_NODEID: "2",
      PATH: "/bin",
    },
  });
  assert.deepEqual(warnings, ["LOGKEEP_NODEID sets nothing; did you mean LOGKEEP_NODE_ID?"]);
});

test("empty files and empty sections set nothing", () => {
  for (const text of ["", "# nothing\n", "---\n", "http:\n", "http: {}\nnode:\n  id:\n"]) {
    assert.equal(loadSettings(file(text)).settings.node.id, 1);
  }
});

test("aliases that would grow without end are refused and not expanded", () => {
  const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 12; i++) {
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(",")}]`,
    );
  }
  assert.notEqual(problemsOf(file(lines.join("\n"))).length, 0);
});

test("any text as a file either loads or is refused with a typed error", () => {
  const word = fc.constantFrom(
    "http",
    "listen",
    "node",
    "id",
    ":",
    "\n",
    " ",
    "- ",
    "{",
    "]",
    "&a",
    "*a",
    "1",
    "'",
    "!!x",
  );
  const text = fc.array(word, { maxLength: 30 }).map((words) => words.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ maxLength: 60 })), (yaml) => {
      problemsOf(file(yaml));
    }),
    { seed: 7, numRuns: Number(process.env["LOGKEEP_SOAK_RUNS"] ?? 500) },
  );
});

test("every flag of start sets a setting that exists", () => {
  const paths = new Set(describeSettings().map(({ path }) => path));
  for (const { path } of settingFlags) assert.ok(paths.has(path), path);
  const values = flagValues({ nodeId: "7", http: undefined }, ["node.id=5", "log.level=warn", "x"]);
  assert.deepEqual(values, { "node.id": "7", "log.level": "warn", x: "" });
});

// Goal: `logkeep alerts` does against a service what its help says.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test, { after, before } from "node:test";
import type { RuleListed } from "../../api/src/alerts.ts";
import { Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { Receiver, secret, until } from "./receiver.ts";

let service: Service;
let receiver: Receiver;
const folder = temporaryFolder();

before(async () => {
  service = await Service.start();
  receiver = await Receiver.open();
});

after(async () => {
  await receiver.close();
  await service.stop();
});

/** Runs the command as a user does; gives what it wrote and how it ended. */
async function alerts(args: readonly string[], stdin = "") {
  const bin = path.join(root, "services/bin/logkeep");
  const child = spawn(bin, ["alerts", ...args], {
    env: { ...process.env, LOGKEEP_URL: service.http },
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => err.push(text));
  child.stdin.end(stdin);
  const code = await new Promise((resolve) => child.once("close", resolve));
  return { code, out: out.join(""), err: err.join("") };
}

const yaml = (condition: string) => `
- name: "errors: too many"
  type: threshold
  query: '{service=cli} level:error _time:1h | stats count() n'
  condition: '${condition}'
  every: 1s
  labels: {severity: page}
  notify:
    - webhook: {url: '${receiver.url}', secret: '${secret}'}
- name: panics
  type: match
  query: '{service=cli} panic'
  keepFor: 1h
  notify: [{webhook: {url: '${receiver.url}', secret: '${secret}'}}]
`;

test("rules are applied, listed, shown, tested, watched and deleted", async () => {
  const file = path.join(folder, "rules.yaml");
  writeFileSync(file, yaml("> 5"));
  const untold = await alerts(["test", file]);
  assert.deepEqual([untold.code, untold.err], [0, ""]);
  assert.equal(receiver.taken.length, 2);
  assert.deepEqual(await alerts(["apply", file]), {
    code: 0,
    out: "created    errors: too many\ncreated    panics\n",
    err: "",
  });
  const changed = await alerts(["apply", "-"], yaml("> 2"));
  assert.equal(changed.out, "changed    errors: too many\nunchanged  panics\n");
  const shown = await alerts(["show", "errors: too many"]);
  assert.match(shown.out, /secret: "\*{8}"/);
  const again = await alerts(["apply", "-"], shown.out);
  assert.equal(again.out, "unchanged  errors: too many\n");
  const tested = await alerts(["test", "panics"]);
  assert.deepEqual([tested.code, tested.out], [0, `panics  ${receiver.url}  delivered\n`]);

  const records = Array.from({ length: 3 }, () => ({ service: "cli", level: "error", _msg: "x" }));
  await service.ship([...records, { service: "cli", level: "info", _msg: "panic" }]);
  const rulesFiring = async () => {
    const { out } = await alerts(["list", "--json"]);
    const { rules } = JSON.parse(out) as { rules: RuleListed[] };
    return rules.every(({ state }) => state === "firing");
  };
  await until(rulesFiring, "both fire");
  const listed = await alerts(["list"]);
  assert.match(listed.out, /^errors: too many +threshold +firing +1s +20\S+Z$/m);
  assert.match(listed.out, /^panics +match +firing +- /m);
  const told = async () => (await alerts(["history"])).out.includes("panics");
  await until(told, "it is in the history");
  const history = await alerts(["history", "--rule", "panics", "--limit", "1"]);
  assert.match(history.out, /^20\S+Z +panics +firing +1 +- +[01] of 1/m);
  assert.equal(history.out.trim().split("\n").length, 2);

  assert.equal((await alerts(["delete", "panics"])).out, "rule panics is deleted\n");
  const gone = await alerts(["show", "panics"]);
  assert.deepEqual([gone.code, gone.out], [1, ""]);
  assert.match(gone.err, /^logkeep: no such rule/);
});

test("a wrong rule is refused by its name and field, and none of its file is kept", async () => {
  const text = "- {name: fine, type: match, query: x}\n- {name: bad, type: match, query: 'a:('}\n";
  const ran = await alerts(["apply", "-"], text);
  assert.deepEqual([ran.code, ran.out], [1, ""]);
  assert.match(ran.err, /^logkeep: rule "bad": query: /);
  assert.equal((await alerts(["show", "fine"])).code, 1);
});

test("a receiver that does not take a test fails the command, and its reason is told", async () => {
  receiver.answer = () => 404;
  const rule = `{name: t, type: match, query: x, notify: [{webhook: {url: '${receiver.url}', secret: '${secret}'}}]}`;
  const ran = await alerts(["test", "-"], rule);
  receiver.answer = () => 200;
  assert.equal(ran.code, 1);
  assert.equal(ran.out, `t  ${receiver.url}  failed: it answered 404\n`);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import test from "node:test";
import { Ensemble } from "../ensemble/ensemble.ts";
import type { MemberKind } from "../ensemble/member.ts";
import { root } from "../suites.ts";

/** Faults in them last as long as sessions do: a minute and a half, of which little is work. */
const timeoutMs = 600_000;

/** Those that speak to the server that the environment names. */
const files = [
  ...["client", "client-session", "client-reads"].map((name) => `coordinator/test/${name}.test.ts`),
  ...globSync("coordinator/test/recipes*.test.ts", { cwd: root }).sort(),
];

/**
 * A test that runs the tests of the client and its recipes, which the room runs against one server of ours, against these
 * members; each connection that they lose comes back at another one.
 */
export function clientTests(
  name: string,
  kinds: readonly MemberKind[],
  skip: string | false = false,
): void {
  test(name, { skip, timeout: timeoutMs }, async (context) => {
    // Sessions of the tests are as short as a second.
    const settings = ["minSessionTimeout=800", "extendedTypesEnabled=true"];
    const ensemble = await Ensemble.start({ kinds, settings });
    context.after(() => ensemble.end());
    const members = ensemble.addresses.map(({ host, port }) => `${host}:${port}`).join();
    const { code, said } = await runTests(members);
    assert.equal(code, 0, said);
    context.diagnostic(/^ℹ pass \d+$/m.exec(said)?.[0] ?? "");
  });
}

async function runTests(
  members: string,
): Promise<{ readonly code: number; readonly said: string }> {
  const args = ["--test", "--test-reporter=spec", "--test-concurrency=2", ...files];
  const child = spawn(process.execPath, args, {
    cwd: root,
    // Within a test's environment the runner would take itself for a part of that test's.
    env: { ...process.env, LOGKEEP_TEST_ZOOKEEPER: members, NODE_TEST_CONTEXT: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, said };
}

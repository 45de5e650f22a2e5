// Runs every suite, or those named: `npm test`, `npm test -- storage query`. Prints what failed, what was
// skipped and why, seconds per suite, and last `N passed, N failed`. Ends with 1 when anything failed, and
// with 2 before it runs anything when a name is no suite's.
import path from "node:path";
import { run } from "node:test";
import { root, type Suite, suites } from "./suites.ts";

/** One test file at most; a hang must not take the whole run with it. */
const fileTimeoutMs = 240_000;

/** Else each file's process would compile what all of them import: half of what many of them take. */
const compileCache = path.join(root, ".cache/compile");

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  readonly seconds: number;
}

async function runSuite(suite: Suite): Promise<Outcome> {
  const started = performance.now();
  const outcome = { passed: 0, failed: 0, skipped: 0 };
  const stream = run({
    files: suite.files.map((file) => path.join(root, file)),
    concurrency: suite.atOnce,
    timeout: fileTimeoutMs,
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...suite.env },
  });
  stream.on("test:pass", (event) => {
    if (event.details.type === "suite" || isFile(event.name)) return;
    const reason = event.skip ?? event.todo;
    if (reason === undefined || reason === false) outcome.passed++;
    else {
      outcome.skipped++;
      console.log(`skipped  ${suite.name}: ${event.name} (${String(reason)})`);
    }
  });
  stream.on("test:fail", (event) => {
    const cause = event.details.error.cause as { failureType?: string } | undefined;
    if (event.details.type === "suite" && cause?.failureType === "subtestsFailed") return;
    if (String(event.details.error.message).includes("subtests failed")) return;
    outcome.failed++;
    console.log(`FAILED   ${suite.name}: ${event.name}  ${path.relative(root, event.file ?? "")}`);
    console.log(indent(describe(event.details.error)));
  });
  stream.on("test:stderr", (event) => {
    if (process.env["LOGKEEP_TEST_STDERR"] !== undefined) process.stderr.write(event.message);
  });
  for await (const _ of stream) {
    // The handlers above count; the loop only waits for the end.
  }
  return { ...outcome, seconds: (performance.now() - started) / 1000 };
}

function isFile(name: string): boolean {
  return name.endsWith(".test.ts");
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.stack ?? cause.message;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `         ${line}`)
    .join("\n");
}

const wanted = process.argv.slice(2);
const known = suites();
const unknown = wanted.filter((name) => !known.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`no suite is named ${unknown.join(" or ")}; there are:`);
  console.error(indent(known.map(({ name }) => name).join("\n")));
  process.exit(2);
}
const total = { passed: 0, failed: 0, skipped: 0 };
for (const suite of known) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  if (wanted.length === 0 && suite.needs !== undefined) {
    console.log(`skipped  ${suite.name} (needs ${suite.needs}; npm test -- ${suite.name})`);
    continue;
  }
  const outcome = await runSuite(suite);
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  const { passed, failed, skipped, seconds } = outcome;
  console.log(
    `${suite.name.padEnd(12)} ${passed} passed, ${failed} failed, ${skipped} skipped  ${seconds.toFixed(1)} s`,
  );
}
if (total.passed + total.failed === 0) {
  console.log("every test was skipped");
  process.exitCode = 1;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.failed > 0) process.exitCode = 1;

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { chartFolder } from "../../helm/src/files.ts";
import { missingPython, python } from "../machine.ts";
import { temporaryFolder } from "../service.ts";
import { missingHelm, render, runHelm, withValues } from "./chart.ts";
import { valueSets } from "./value-sets.ts";

const skip = missingHelm();
const folder = temporaryFolder();
const skipValidated = skip || missingPython("kubernetes_validate");

/** The chart's least version and the newest that the validator knows. */
const versions = ["1.25", "1.37"];

/** What the validator says of objects, as text, in one version of Kubernetes. */
function validate(text: string, version: string): { status: number | null; said: string } {
  const file = path.join(folder, "manifests.yaml");
  writeFileSync(file, text);
  const args = ["-m", "kubernetes_validate", "--strict", "-k", version, file];
  const ran = spawnSync(python, args, { timeout: 180_000 });
  return { status: ran.status, said: `${ran.stdout}${ran.stderr}` };
}

for (const [name, values] of Object.entries(valueSets)) {
  test(`helm lint --strict takes ${name}`, { skip }, async () => {
    const ran = await runHelm(["lint", "--strict", chartFolder, ...withValues(values)]);
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
  });

  test(`Kubernetes takes what ${name} render`, { skip: skipValidated }, async () => {
    const { text } = await render(values);
    // A ServiceMonitor is of somebody else's kind; objects.test.ts looks at its form.
    const documents = text.split(/^---\n/m).filter((each) => /^kind: /m.test(each));
    const known = documents.filter((each) => !/^kind: ServiceMonitor$/m.test(each));
    for (const version of versions) {
      const { status, said } = validate(known.join("---\n"), version);
      assert.equal(status, 0, said);
      assert.doesNotMatch(said, /WARN|ERROR/);
      assert.equal(said.match(/ passed for resource /g)?.length, known.length, said);
    }
  });
}

test("the validator refuses a field that there is not", { skip: skipValidated }, async () => {
  const { text } = await render();
  const wrong = text.replace("\nautomountServiceAccountToken:", "\nautomount:");
  const { status, said } = validate(wrong, "1.37");
  assert.equal(status, 1);
  assert.match(said, /'automount' was unexpected/);
});

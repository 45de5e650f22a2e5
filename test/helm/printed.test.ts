import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { chartFolder, printedFiles } from "../../helm/src/files.ts";
import { root } from "../suites.ts";

for (const { file, text } of printedFiles()) {
  const name = path.relative(root, file);
  test(`${name} is what helm/src prints (REWRITE=1 writes it)`, () => {
    if (process.env["REWRITE"] === "1") writeFileSync(file, text);
    assert.equal(readFileSync(file, "utf8"), text);
  });
}

test("the chart and the image are of the package's version", () => {
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    version: string;
  };
  const chart = parse(readFileSync(path.join(chartFolder, "Chart.yaml"), "utf8")) as {
    appVersion: string;
  };
  assert.equal(chart.appVersion, version);
  const containerfile = readFileSync(path.join(root, "Containerfile"), "utf8");
  assert.ok(containerfile.includes(`image.version="${version}"`));
});

// Writes what is printed of the chart, so that values, schema and README are one: npm run chart.
import { writeFileSync } from "node:fs";
import { printedFiles } from "./files.ts";

for (const { file, text } of printedFiles()) {
  writeFileSync(file, text);
  console.log(file);
}

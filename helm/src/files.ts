import path from "node:path";
import { printSchema, printValues } from "./print.ts";
import { printReadme } from "./readme.ts";

/** The folder of the chart. */
export const chartFolder: string = path.resolve(import.meta.dirname, "../logkeep");

/** The files of the chart that are printed, each with the text it must have. */
export function printedFiles(): readonly { readonly file: string; readonly text: string }[] {
  return [
    { file: path.join(chartFolder, "values.yaml"), text: printValues() },
    { file: path.join(chartFolder, "values.schema.json"), text: printSchema() },
    { file: path.join(chartFolder, "README.md"), text: printReadme() },
  ];
}

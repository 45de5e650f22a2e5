import assert from "node:assert/strict";
import test from "node:test";
import { consoleLinks } from "../src/alerts/links.ts";

const fromMs = Date.UTC(2026, 10, 21, 8);
const span = "from=2026-11-21T08%3A00%3A00.000Z&to=2026-11-21T08%3A05%3A00.000Z";

const cases: readonly (readonly [base: string, link: string])[] = [
  ["http://127.0.0.1:7070", "http://127.0.0.1:7070/ui/"],
  ["https://logs.example.com/", "https://logs.example.com/ui/"],
  ["https://example.com/logs/", "https://example.com/logs/ui/"],
  ["http://0.0.0.0:7070", "http://box:7070/ui/"],
  ["http://[::]:7070", "http://box:7070/ui/"],
];

for (const [base, link] of cases) {
  test(`links of a service at ${base}`, () => {
    const made = consoleLinks(base, "box")("t", 'a:"b c" & d', fromMs, fromMs + 300_000);
    assert.equal(made, `${link}?query=a%3A%22b+c%22+%26+d&${span}`);
  });
}

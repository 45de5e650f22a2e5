import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hashOf, type Route, recordsHref, routeOf } from "../src/route.ts";

test("a route read from its hash is the route, whatever names and queries hold", () => {
  const text = fc.string({ unit: "binary" });
  const route: fc.Arbitrary<Route> = fc.oneof(
    fc.constant<Route>({ view: "search" }),
    fc.constant<Route>({ view: "alerts" }),
    fc.constant<Route>({ view: "cluster" }),
    text.map((query): Route => ({ view: "rule-new", query })),
    text.filter((name) => name !== "").map((name): Route => ({ view: "rule-edit", name })),
  );
  fc.assert(
    fc.property(route, (each) => {
      assert.deepEqual(routeOf(hashOf(each)), each);
      // As the address bar gives it back.
      assert.deepEqual(routeOf(new URL(hashOf(each), "http://localhost/?query=a").hash), each);
    }),
    { seed: 1 },
  );
});

for (const hash of ["", "#", "#/", "#/other", "#/alerts/rules/", "#/alerts/rules/%E0%A4%A"]) {
  test(`the hash ${JSON.stringify(hash)} is the search`, () => {
    assert.deepEqual(routeOf(hash), { view: "search" });
  });
}

const links: readonly { readonly link: string; readonly href: string | undefined }[] = [
  {
    link: "https://logs.example.com/?query=level%3Aerror&from=2026-01-01T00%3A00%3A00.000Z",
    href: "?query=level%3Aerror&from=2026-01-01T00%3A00%3A00.000Z",
  },
  { link: "/?query=a%20b", href: "?query=a+b" },
  { link: "https://logs.example.com/", href: undefined },
  { link: "javascript:alert(1)", href: undefined },
  { link: "http://", href: undefined },
];

for (const { link, href } of links) {
  test(`the link ${link} leads to ${href ?? "nowhere"} in this console`, () => {
    assert.equal(recordsHref(link), href);
  });
}

/** Where one is in the console, as it stands behind the `#` of the address. */
export type Route =
  | { readonly view: "search" }
  | { readonly view: "alerts" }
  | { readonly view: "cluster" }
  /** The form of a new rule, with this query. */
  | { readonly view: "rule-new"; readonly query: string }
  /** The form of the rule of this name. */
  | { readonly view: "rule-edit"; readonly name: string };

const newRule = "#/alerts/new";
const rules = "#/alerts/rules/";

export function hashOf(route: Route): string {
  switch (route.view) {
    case "search":
      return "#/";
    case "alerts":
      return "#/alerts";
    case "cluster":
      return "#/cluster";
    case "rule-new":
      return route.query === ""
        ? newRule
        : `${newRule}?${new URLSearchParams({ query: route.query })}`;
    case "rule-edit":
      return `${rules}${encodeURIComponent(route.name)}`;
  }
}

/** The route of a hash; what is none of ours is the search. */
export function routeOf(hash: string): Route {
  if (hash === "#/alerts") return { view: "alerts" };
  if (hash === "#/cluster") return { view: "cluster" };
  if (hash === newRule) return { view: "rule-new", query: "" };
  if (hash.startsWith(`${newRule}?`)) {
    const query = new URLSearchParams(hash.slice(newRule.length + 1)).get("query") ?? "";
    return { view: "rule-new", query };
  }
  const name = hash.startsWith(rules) ? decoded(hash.slice(rules.length)) : "";
  return name === "" ? { view: "search" } : { view: "rule-edit", name };
}

/**
 * The address of a link of the service within this console: its query and span, wherever the service believes to
 * be reached. Undefined when it leads elsewhere.
 */
export function recordsHref(link: string): string | undefined {
  if (!URL.canParse(link, "http://localhost")) return undefined;
  const { searchParams } = new URL(link, "http://localhost");
  return searchParams.has("query") ? `?${searchParams}` : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

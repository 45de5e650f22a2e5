/** What a key allows: to ask, to ship, to delete by query, to administer. `admin` holds the others. */
export const scopes = ["read", "write", "delete", "admin"] as const;

export type Scope = (typeof scopes)[number];

/** True when a holder of `held` may do what needs `needed`. */
export function allows(held: readonly Scope[], needed: Scope): boolean {
  return held.includes(needed) || held.includes("admin");
}

export function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text);
}

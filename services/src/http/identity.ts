import type { IncomingMessage } from "node:http";
import { tenantSchema, tokenOfAuthorization } from "../../../api/src/key.ts";
import { allows, type Scope, scopes } from "../../../api/src/scopes.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { KeyStore } from "../auth/key-store.ts";

/** Who asks, and for which tenant. */
export interface Identity {
  /** Name of the key; undefined for a request without one where none is needed. */
  readonly key: string | undefined;
  readonly scopes: readonly Scope[];
  readonly tenant: string;
}

export interface IdentityRules {
  readonly keys: KeyStore;
  /** Whether a request without a key is refused. */
  readonly isKeyNeeded: boolean;
}

/** The tenant of who names none. */
export const tenantDefault = "default";

/**
 * Finds out who asks. A key that is sent must hold, even where none is needed. A tenant in a header
 * counts only for an identity that has it: a key's own, or any for who needs no key or administers.
 */
export function identify(request: IncomingMessage, rules: IdentityRules): Identity {
  const { authorization } = request.headers;
  const named = tenantNamed(request);
  if (authorization === undefined) {
    if (rules.isKeyNeeded)
      throw new ServiceError("auth.missing", "send a key: Authorization: Bearer …");
    return { key: undefined, scopes, tenant: named ?? tenantDefault };
  }
  const token = tokenOfAuthorization(authorization);
  if (token === undefined) throw new ServiceError("auth.invalid", "the header holds no key");
  const stored = rules.keys.verify(token);
  const tenant = named ?? stored.tenant;
  if (tenant !== stored.tenant && !stored.scopes.includes("admin")) {
    throw new ServiceError("auth.forbidden", "the key is of another tenant", { tenant });
  }
  return { key: stored.name, scopes: stored.scopes, tenant };
}

/** Throws `auth.forbidden` unless the identity may do what needs the scope. */
export function demand(identity: Identity, scope: Scope): void {
  if (allows(identity.scopes, scope)) return;
  throw new ServiceError("auth.forbidden", "the key does not allow this", { scope });
}

function tenantNamed(request: IncomingMessage): string | undefined {
  const header = request.headers["x-logkeep-tenant"] ?? request.headers["x-scope-orgid"];
  if (header === undefined) return undefined;
  const parsed = tenantSchema.safeParse(header);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    "tenant.invalid",
    "the tenant must be lower-case letters, digits, '.', '_', '-'",
  );
}

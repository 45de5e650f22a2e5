import type { AlertsOptions } from "../../../alerts/src/engine.ts";

/**
 * Makes links into the console: its query and span, as its address bar has them. `base`: the URL of the service; where
 * it names every interface of this machine, the machine's name stands for it.
 */
export function consoleLinks(base: string, hostname: string): AlertsOptions["linkOf"] {
  const url = new URL(base);
  if (["0.0.0.0", "[::]"].includes(url.hostname)) url.hostname = hostname;
  const root = url.href.replace(/\/+$/, "");
  return (_tenant, query, fromMs, toMs) => {
    const params = new URLSearchParams({
      query,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
    });
    return `${root}/ui/?${params}`;
  };
}

import { useEffect, useState } from "preact/hooks";
import { hashOf, type Route, routeOf } from "./route.ts";

/** The route of the address bar, as it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(() => location.hash);
  useEffect(() => {
    const follow = (): void => setHash(location.hash);
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return routeOf(hash);
}

/** Goes there; the back button leads here again. */
export function go(route: Route): void {
  location.hash = hashOf(route);
}

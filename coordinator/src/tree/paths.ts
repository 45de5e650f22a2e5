/** The path before the last slash; that of a child of the root is "/". */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Control characters, surrogates, the private use area and specials, as ZooKeeper refuses them. */
function hasForbidden(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    const unit = path.charCodeAt(at);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return true;
    if ((unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0) return true;
  }
  return false;
}

/**
 * Whether ZooKeeper takes this as the path of a znode: absolute, no empty part, no `.` or `..`, no
 * trailing slash, no forbidden character.
 */
export function isPathValid(path: string): boolean {
  if (!path.startsWith("/")) return false;
  if (path.length === 1) return true;
  if (path.endsWith("/") || hasForbidden(path)) return false;
  if (!path.includes("//") && !path.includes("/.")) return true;
  return path
    .slice(1)
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== "..");
}

/** Where every client reads who is in the ensemble. */
export const configPath = "/zookeeper/config";

/** Znodes that every tree has and nobody deletes. */
export const reservedPaths = ["/zookeeper", "/zookeeper/quota", configPath] as const;

/** Whether a delete of this path is refused whatever its ACL says. */
export function isReserved(path: string): boolean {
  return path === "/" || (reservedPaths as readonly string[]).includes(path);
}

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** What the machine must have where the whole set-up is installed, as `chromium,kazoo`. */
const required = new Set((process.env["LOGKEEP_REQUIRE"] ?? "").split(","));

export const python: string = process.env["LOGKEEP_PYTHON"] ?? "python3";

/** For a test's `skip`: false, or why it cannot run here. Throws where the machine must have it. */
export function missingPython(module: string): string | false {
  const ran = spawnSync(python, ["-c", `import ${module}`]);
  return missing(module, ran.status === 0, `${python} cannot import ${module}`);
}

export const chromiumPath = "/usr/bin/chromium";

export function missingChromium(): string | false {
  return missing("chromium", existsSync(chromiumPath), `there is no ${chromiumPath}`);
}

/** For a test's `skip`, of something that `LOGKEEP_REQUIRE` may name. */
export function missing(name: string, isThere: boolean, reason: string): string | false {
  if (isThere) return false;
  if (required.has(name)) throw new Error(`${name} is required here, but ${reason}`);
  return reason;
}

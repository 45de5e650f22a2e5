/**
 * Points at which tests let the process die, as if the machine had lost power there. Nothing is armed unless the
 * process was started with `LOGKEEP_CRASH_AT`.
 */
const armed = { name: "", left: 0 };

/** Arms one point by `NAME` or `NAME:N`: the process kills itself the Nth time that it is reached. */
export function armCrashPoint(text: string): void {
  const [name = "", count = "1"] = text.split(":");
  armed.name = name;
  armed.left = Number(count);
}

/** A step after which a crash must lose nothing and double nothing; free of cost but for one comparison. */
export function crashPoint(name: string): void {
  if (armed.name !== name) return;
  armed.left -= 1;
  if (armed.left === 0) process.kill(process.pid, "SIGKILL");
}

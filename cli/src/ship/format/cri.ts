import { isoTime } from "../timestamp.ts";
import type { LineFormat } from "./line-format.ts";

const shape = /^(\S{20,35}) (stdout|stderr) ([FP])(?::\S*)?(?: (.*))?$/s;

/** Container logs of Kubernetes: `2026-01-31T10:00:00.123456789Z stdout F text`; P lines go on. */
export const criFormat: LineFormat = {
  name: "cri",
  parse(line) {
    const found = shape.exec(line);
    if (found === null) return undefined;
    const [, stamp = "", stream = "", , msg = ""] = found;
    const time = isoTime(stamp);
    if (time?.length !== stamp.length) return undefined;
    return { time: time.time, msg, fields: { stream } };
  },
  goesOn(line, next) {
    const found = shape.exec(line);
    // The other stream may write in between; its line is a record of its own.
    return found?.[3] === "P" && shape.exec(next)?.[2] === found[2];
  },
};

import type { Query } from "./ast.ts";
import { printDuration } from "./duration.ts";
import type { InnerPipe } from "./pipe-node.ts";
import { printName } from "./print-name.ts";
import { quoted } from "./string-literal.ts";

/** A pipe with another query in it, or the neighbours of what was found, as text. */
export function printInner(pipe: InnerPipe, printQuery: (query: Query) => string): string {
  switch (pipe.kind) {
    case "join": {
      const parts = [`join by (${pipe.by.map(printName).join(", ")}) (${printQuery(pipe.query)})`];
      if (pipe.isInner) parts.push("inner");
      if (pipe.prefix !== "") parts.push(`prefix ${quoted(pipe.prefix)}`);
      return parts.join(" ");
    }
    case "union":
      return `union (${printQuery(pipe.query)})`;
    case "streamContext": {
      const window = printDuration(pipe.window);
      return `stream_context before ${pipe.before} after ${pipe.after} time_window ${window}`;
    }
  }
}

import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { depthMax, fileMaxBytes } from "./limits.ts";

/** A value of a file and the line it stands on. */
export interface FileLeaf {
  readonly path: string;
  readonly line: number;
  readonly value: unknown;
}

/** A reason why a file cannot be read as a tree of settings. */
export interface FileProblem {
  readonly line: number;
  readonly message: string;
}

/**
 * The values of a YAML text, by dotted path. A path in `sections` is walked into, anything else is a
 * value, known or not. An empty section and an empty value set nothing.
 */
export function readFile(
  text: string,
  sections: ReadonlySet<string>,
): { readonly leaves: readonly FileLeaf[]; readonly problems: readonly FileProblem[] } {
  if (text.length > fileMaxBytes) {
    return { leaves: [], problems: [{ line: 1, message: `is longer than ${fileMaxBytes} bytes` }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
  });
  const lineOf = (offset: number) => lines.linePos(offset).line;
  const problems = document.errors.map(({ pos, message }) => ({ line: lineOf(pos[0]), message }));
  const root = document.contents;
  if (problems.length > 0 || root === null) return { leaves: [], problems };
  if (isScalar(root) && root.value === null) return { leaves: [], problems };
  if (!isMap(root)) {
    return { leaves: [], problems: [{ line: 1, message: "must hold sections of settings" }] };
  }
  const leaves: FileLeaf[] = [];
  const walk = (map: YAMLMap<unknown, unknown>, prefix: string, depth: number): void => {
    for (const { key, value } of map.items) {
      const line = lineOf((key as Node | null)?.range?.[0] ?? 0);
      const path = prefix + String(isScalar(key) ? key.value : key);
      if (value === null || (isScalar(value) && value.value === null)) {
        leaves.push({ path, line, value: undefined });
      } else if (isMap(value) && sections.has(path) && depth < depthMax) {
        walk(value, `${path}.`, depth + 1);
      } else {
        leaves.push({ path, line, value: (value as Node).toJS(document) });
      }
    }
  };
  try {
    walk(root, "", 0);
  } catch (thrown) {
    // Aliases that grow without end are refused by the parser while it expands them.
    return { leaves: [], problems: [{ line: 1, message: String(thrown) }] };
  }
  return { leaves, problems };
}

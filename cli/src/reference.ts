import type { Command } from "commander";

/** Columns of the page's help texts. */
const helpColumns = 100;

/** The reference page of the verbs of a program, in Markdown, made of their help. */
export function cliReference(program: Command): string {
  return `${intro}\n${[...sectionsOf(program)].join("\n")}`;
}

const intro = `# Command line

<!-- Written by REWRITE=1 node --test cli/test/reference.test.ts; edit the verbs in cli/src instead. -->

\`logkeep start\` and \`logkeep coordinator\` run the service; their settings are those of
[configuration.md](configuration.md). \`logkeep storage\` looks at stored files: [operations.md](operations.md#looking-at-stored-files).
The verbs below talk to a running one.

They find it by \`--url\` or \`LOGKEEP_URL\` (\`http://127.0.0.1:7070\`) and identify themselves by \`--key\` or
\`LOGKEEP_KEY\`. Answers go to stdout and everything else to stderr, so that pipes work; colour is for terminals
only and goes with \`NO_COLOR\`. \`logkeep zk\` talks to a coordinator instead, named before the verb:
\`logkeep zk --server HOST:PORT get /app\` (\`127.0.0.1:2181\`); \`logkeep zk --help\` has its other options.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed; a line on stderr says what and what to do. For \`ship\` also: records were rejected; for \`status\`: something is not well |
| 2 | wrong usage |

What \`ship\` promises: a line that is not blank becomes a record, whatever is in it. Each request carries an
\`Idempotency-Key\` made of the file, the place and the content, and the end of a batch is noted before it is sent.
So a run that is killed at any moment and started again within ten minutes (the time the service remembers keys)
stores every line once. Later, only the few batches that were under way can be there twice.

Times that lines carry are the records' times: old logs land where they belong, \`--from\` finds them, and
retention applies to them. Times without a zone are local, those without a year are of the last year in which they
are not ahead of the file's last change. A line without a time takes that of the line before it.
`;

function* sectionsOf(command: Command, path: readonly string[] = []): Generator<string> {
  for (const verb of command.commands) {
    const name = [...path, verb.name()];
    if (verb.commands.length > 0) {
      yield* sectionsOf(verb, name);
    } else {
      yield `## logkeep ${name.join(" ")}\n\n\`\`\`\n${helpOf(verb)}\n\`\`\`\n`;
    }
  }
}

function helpOf(verb: Command): string {
  let text = "";
  verb.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
    getOutHelpWidth: () => helpColumns,
    getOutHasColors: () => false,
  });
  verb.outputHelp();
  return text.trim();
}

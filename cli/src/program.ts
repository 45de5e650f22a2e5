import { Command, CommanderError } from "commander";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { CliExit, type CliIo, type ExitCode } from "./io.ts";
import { styleOf } from "./style.ts";

/** The program without any verb. */
export function programOf(io: CliIo): Command {
  return new Command("logkeep")
    .description("Ship, search and watch log records.")
    .version(io.version ?? "unknown", "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      ...(io.columns === undefined ? {} : { getOutHelpWidth: () => io.columns ?? 80 }),
    });
}

/**
 * Runs the verb that `args` (without node and script) names, and says how it ended. It never ends
 * the process, and writes one line to stderr when something failed.
 */
export async function runCli(
  program: Command,
  args: readonly string[],
  io: CliIo,
): Promise<ExitCode> {
  // Whoever reads may leave early, as `head` does; that is no failure.
  let isReaderGone = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    isReaderGone ||= error.code === "EPIPE";
  };
  io.stdout.on("error", onError);
  nameHelp(program, program.name());
  try {
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (thrown) {
    if (isReaderGone) return 0;
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const style = styleOf(io, io.isErrTTY ?? io.isTTY);
    const message = sentenceOf(thrown);
    if (message !== "") io.stderr.write(`${style.red("logkeep:")} ${message}\n`);
    return thrown instanceof CliExit ? thrown.code : 1;
  } finally {
    io.stdout.off("error", onError);
  }
}

/** Lets a wrong call of a verb point at the help of just that verb. */
function nameHelp(command: Command, name: string): void {
  command.showHelpAfterError(`(${name} --help says more)`);
  if (command.commands.length > 0) command.helpCommand("help [command]", "print help of a command");
  for (const verb of command.commands) nameHelp(verb, `${name} ${verb.name()}`);
}

/** What was thrown in one line; facts that are no part of the sentence stand behind it. */
function sentenceOf(thrown: unknown): string {
  const message = messageOf(thrown);
  if (!(thrown instanceof ServiceError) || thrown.code === "config.invalid") return message;
  const facts = Object.entries(thrown.fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${String(value)}`);
  return facts.length === 0 ? message : `${message} (${facts.join(", ")})`;
}

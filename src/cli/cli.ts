/**
 * Finds the command that was typed, runs it, and turns what goes wrong into a message and an exit code. A
 * failed assertion is a bug and passes through: program.ts lets it end the process.
 */
import { closest } from '../base/closest.ts';
import { type FaultCode, HubError, systemCode } from '../base/errors.ts';
import { type Command, parseCommandArgs, UsageError } from './args.ts';
import { ConfigError } from './config-options.ts';
import { commandsOf, renderCommandHelp, renderGroup, renderOverview } from './help.ts';
import { type CliIo, EXIT, type ExitCode } from './io.ts';

const EXIT_OF_FAULT: Partial<Readonly<Record<FaultCode, ExitCode>>> = {
  'config.invalid': EXIT.usage,
  'pilot.trace-invalid': EXIT.usage,
  'listen.refused': EXIT.usage,
  'data.locked': EXIT.locked,
  'hub.unreachable': EXIT.unreachable,
};

/** Codes by which the system says that the world is not as it should be: rights, space, paths. */
const WORLDLY = new Set(
  'EACCES EFBIG EIO EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENOENT ENOSPC ENOTDIR EPERM EROFS'.split(
    ' ',
  ),
);

/** `argv` without the program's own name. */
export async function runCli(
  commands: readonly Command[],
  argv: readonly string[],
  io: CliIo,
): Promise<ExitCode> {
  // `help X` is `X --help`.
  if (argv[0] === 'help' && argv.length > 1)
    return runCli(commands, [...argv.slice(1), '--help'], io);
  const words = wordsOf(argv);
  const command = findCommand(commands, words);
  if (command === undefined) return answerWithoutCommand(commands, argv, words, io);
  const rest = argv.slice(command.name.split(' ').length);
  if (asksForHelp(rest)) {
    io.stdout(renderCommandHelp(command, commands));
    return EXIT.done;
  }
  try {
    const args = parseCommandArgs(command, rest);
    const run = await command.load();
    return (await run(args, io)) ?? EXIT.done;
  } catch (error) {
    return explain(error, command, io);
  }
}

/** The first words, before any option. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith('-'));
  return end < 0 ? argv : argv.slice(0, end);
}

/** The command with the longest name that the words begin with: `journal stat`, not `journal`. */
function findCommand(commands: readonly Command[], words: readonly string[]): Command | undefined {
  const isTyped = ({ name }: Command): boolean =>
    name.split(' ').every((part, index) => words[index] === part);
  return commands.filter(isTyped).toSorted((a, b) => b.name.length - a.name.length)[0];
}

function answerWithoutCommand(
  commands: readonly Command[],
  argv: readonly string[],
  words: readonly string[],
  io: CliIo,
): ExitCode {
  if (argv[0] === '--version') {
    io.stdout(`heliograph ${io.version}\n`);
    return EXIT.done;
  }
  const [word = ''] = words;
  const group = commandsOf(word, commands);
  const wantsHelp = words[0] === 'help' || asksForHelp(argv);
  if (wantsHelp && (words.length === 0 || words[0] === 'help')) {
    io.stdout(renderOverview(commands, io.version));
    return EXIT.done;
  }
  if (group.length > 0) {
    io[wantsHelp ? 'stdout' : 'stderr'](renderGroup(word, group));
    return wantsHelp ? EXIT.done : EXIT.usage;
  }
  if (argv.length === 0) {
    io.stderr(renderOverview(commands, io.version));
    return EXIT.usage;
  }
  const typed = words.length > 0 ? words.join(' ') : (argv[0] as string);
  const names = commands.map(({ name }) => name);
  const guess = closest(typed, names) ?? closest(words[0] ?? '', names);
  const hint =
    guess === undefined
      ? '`heliograph --help` lists all.'
      : `Did you mean \`heliograph ${guess}\`?`;
  io.stderr(`There is no command ${JSON.stringify(typed)}. ${hint}\n`);
  return EXIT.usage;
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv
    .slice(0, end < 0 ? argv.length : end)
    .some((word) => word === '--help' || word === '-h');
}

function explain(error: unknown, command: Command, io: CliIo): ExitCode {
  if (error instanceof UsageError) {
    io.stderr(`${error.message}\nSee \`heliograph ${command.name} --help\`.\n`);
    return EXIT.usage;
  }
  if (error instanceof ConfigError) {
    io.stderr(`${error.message}\n`);
    return EXIT.usage;
  }
  const fault = error instanceof HubError ? error : faultOfFile(error);
  if (fault === undefined) throw error;
  io.stderr(`${fault.message} (${fault.code})\n${fault.hint}\n`);
  return EXIT_OF_FAULT[fault.code] ?? EXIT.failed;
}

/** The fault behind an error of a file operation; undefined for any other error. */
function faultOfFile(error: unknown): HubError | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  if (!WORLDLY.has(systemCode(error) ?? '')) return undefined;
  return new HubError('files.refused', error.message, error);
}

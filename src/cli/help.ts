/** Help texts, made from the table of commands. */
import type { Command } from './args.ts';

const INDENT = '  ';
const COLUMN = 26;
const WIDTH = 98;

export function renderOverview(commands: readonly Command[], version: string): string {
  return [
    `heliograph ${version}: keeps, orders and forwards the data of a solar field site.`,
    '',
    'Usage: heliograph COMMAND [OPTION]…',
    '',
    ...commands
      .filter(({ isInternal }) => isInternal !== true)
      .map((command) => row(usageOf(command, false), command.summary)),
    '',
    '`heliograph COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 bad usage or config,',
    '3 another hub holds the data, 4 the hub does not answer.',
    '',
  ].join('\n');
}

/** What begins with a word that is no command alone: `journal`. */
export function renderGroup(word: string, commands: readonly Command[]): string {
  const rows = commands.map((command) => row(usageOf(command, false), command.summary));
  return `Usage: heliograph ${word} COMMAND [OPTION]…\n\n${rows.join('\n')}\n`;
}

export function renderCommandHelp(command: Command): string {
  const operands = (command.operands ?? []).map(({ name, help }) => row(name, help));
  const options = Object.entries(command.options ?? {}).map(([name, option]) => {
    const value = option.value === undefined ? '' : ` ${option.value}`;
    return row(
      `--${name}${value}`,
      option.help + (option.isRepeatable === true ? ' (repeatable)' : ''),
    );
  });
  const parts = [
    `Usage: heliograph ${usageOf(command, true)}`,
    `${command.summary}.`,
    operands.join('\n'),
    [...options, row('--help', 'show this')].join('\n'),
    command.notes ?? '',
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function usageOf(command: Command, withOptions: boolean): string {
  const operands = (command.operands ?? []).map(({ name, isOptional }) =>
    isOptional === true ? `[${name}]` : name,
  );
  const options = withOptions && command.options !== undefined ? ['[OPTION]…'] : [];
  return [command.name, ...operands, ...options].join(' ');
}

function row(left: string, right: string): string {
  const [first = '', ...more] = wrapped(right);
  const head =
    left.length > COLUMN - 2
      ? `${INDENT}${left}\n${INDENT}${' '.repeat(COLUMN)}${first}`
      : `${INDENT}${left.padEnd(COLUMN)}${first}`;
  return [head, ...more.map((line) => `${INDENT}${' '.repeat(COLUMN)}${line}`)].join('\n');
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH - COLUMN) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

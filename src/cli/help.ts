/** Help texts, made from the table of commands. */
import type { Command } from './args.ts';

const INDENT = '  ';
const COLUMN = 26;
const WIDTH = 98;

/** The overview in parts, by the first word of a command; what somebody needs at night comes first. */
const PARTS: readonly (readonly [title: string, words: readonly string[]])[] = [
  [
    'How a site is, and what to do',
    ['status', 'doctor', 'log', 'override', 'power', 'holes', 'audit'],
  ],
  ['A hub, and who may use it', ['run', 'config', 'user', 'enrol', 'identity']],
  ['Records and files', ['records', 'undo', 'conflicts', 'assets']],
  ['The region', ['regional', 'bundle', 'operator-key']],
  ['What lies on the card, and its proofs', ['journal', 'snapshot', 'store', 'proof']],
  ['To try and to measure', ['demo', 'pilot', 'bench']],
];

export function renderOverview(commands: readonly Command[], version: string): string {
  return [
    `heliograph ${version}: keeps, orders and forwards the data of a solar field site.`,
    '',
    'Usage: heliograph COMMAND [OPTION]…',
    '',
    ...PARTS.flatMap(([title, words]) => [
      `${title}:`,
      ...rowsOf(words.flatMap((word) => commandsOf(word, commands))),
      '',
    ]),
    '`heliograph COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 bad usage or config,',
    '3 another hub holds the data, 4 the hub does not answer.',
    '',
  ].join('\n');
}

/** Those for people that begin with the word. */
export function commandsOf(word: string, commands: readonly Command[]): readonly Command[] {
  return commands.filter(
    ({ name, isInternal }) => isInternal !== true && name.split(' ')[0] === word,
  );
}

/** What begins with a word that is no command alone: `journal`. */
export function renderGroup(word: string, commands: readonly Command[]): string {
  return `Usage: heliograph ${word} COMMAND [OPTION]…\n\n${rowsOf(commands).join('\n')}\n`;
}

/** Of one command, and which go further: `conflicts resolve` with `conflicts`. */
export function renderCommandHelp(command: Command, commands: readonly Command[]): string {
  const operands = (command.operands ?? []).map(({ name, help }) => row(name, help));
  const options = Object.entries(command.options ?? {}).map(([name, option]) => {
    const value = option.value === undefined ? '' : ` ${option.value}`;
    return row(
      `--${name}${value}`,
      option.help + (option.isRepeatable === true ? ' (repeatable)' : ''),
    );
  });
  const further = commandsOf(command.name, commands).filter(({ name }) => name !== command.name);
  const parts = [
    `Usage: heliograph ${usageOf(command, true)}`,
    `${command.summary}.`,
    operands.join('\n'),
    [...options, row('--help', 'show this')].join('\n'),
    command.notes ?? '',
    rowsOf(further).join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function rowsOf(commands: readonly Command[]): readonly string[] {
  return commands.map((command) => row(usageOf(command, false), command.summary));
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

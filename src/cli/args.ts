/**
 * Arguments of one command, checked against what it declares (commands.ts). The same declaration makes its
 * `--help`, so that the two cannot tell different stories.
 */
import { parseArgs } from 'node:util';

import { closest } from '../base/closest.ts';
import type { CliIo, ExitCode } from './io.ts';

export interface OptionSpec {
  /** Name of the value in the help (`FILE`); absent: a switch. */
  readonly value?: string;
  readonly help: string;
  readonly isRepeatable?: boolean;
}

interface OperandSpec {
  /** `NAME`. */
  readonly name: string;
  readonly help: string;
  readonly isOptional?: boolean;
}

export interface Command {
  /** As it is typed: `status`, `journal verify`. */
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  readonly operands?: readonly OperandSpec[];
  readonly options?: Readonly<Record<string, OptionSpec>>;
  /** More about it, below the options. */
  readonly notes?: string;
  /** Started by other commands; the overview leaves it out. */
  readonly isInternal?: boolean;
  /** Loads its code: only the command that runs pays for its imports. */
  load(): Promise<CommandRun>;
}

/** One that says no exit code has done what it was asked for. */
type CommandRun = (args: Args, io: CliIo) => ExitCode | void | Promise<ExitCode | void>;

/** A mistake of the person who typed; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export class Args {
  readonly operands: readonly string[];
  readonly #textsByName: ReadonlyMap<string, readonly string[]>;

  constructor(operands: readonly string[], textsByName: ReadonlyMap<string, readonly string[]>) {
    this.operands = operands;
    this.#textsByName = textsByName;
  }

  has(name: string): boolean {
    return this.#textsByName.has(name);
  }

  /** The last value given. */
  text(name: string): string | undefined {
    return this.texts(name).at(-1);
  }

  texts(name: string): readonly string[] {
    return this.#textsByName.get(name) ?? [];
  }

  /** The number given, within the range. */
  number(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new UsageError(
      `--${name} is a number from ${min} to ${max}, not ${JSON.stringify(text)}`,
    );
  }

  /** The operand at `index`, which the command declares as needed. */
  operand(index: number): string {
    return this.operands[index] as string;
  }
}

/** Throws `UsageError`, one message for all mistakes. */
export function parseCommandArgs(command: Command, argv: readonly string[]): Args {
  const specs = command.options ?? {};
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const mistakes: string[] = [];
  const operands: string[] = [];
  const textsByName = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    const mistake = optionMistake(token.rawName, token.value, spec, specs);
    if (mistake !== undefined) mistakes.push(mistake);
    else textsByName.set(token.name, [...(textsByName.get(token.name) ?? []), token.value ?? '']);
  }
  mistakes.push(...operandMistakes(command.operands ?? [], operands));
  if (mistakes.length > 0) throw new UsageError(mistakes.join('\n'));
  return new Args(operands, textsByName);
}

function optionMistake(
  rawName: string,
  value: string | undefined,
  spec: OptionSpec | undefined,
  specs: Readonly<Record<string, OptionSpec>>,
): string | undefined {
  if (spec === undefined) {
    const guess = closest(rawName.replace(/^-+/, ''), Object.keys(specs));
    return `unknown option ${rawName}${guess === undefined ? '' : `; did you mean --${guess}?`}`;
  }
  if (spec.value === undefined && value !== undefined) return `${rawName} takes no value`;
  if (spec.value !== undefined && (value === undefined || isOption(value, specs)))
    return `${rawName} needs a value: ${spec.value}`;
  return undefined;
}

/** Whether what stands where a value belongs is the next option: `--for --end`. */
function isOption(text: string, specs: Readonly<Record<string, OptionSpec>>): boolean {
  return text.startsWith('--') && Object.hasOwn(specs, text.slice(2).split('=')[0] as string);
}

function operandMistakes(specs: readonly OperandSpec[], operands: readonly string[]): string[] {
  const missing = specs.filter(
    (spec, index) => spec.isOptional !== true && index >= operands.length,
  );
  const extra = operands.slice(specs.length);
  return [
    ...missing.map(({ name, help }) => `${name} is missing: ${help}`),
    ...extra.map((operand) => `what is ${JSON.stringify(operand)}?`),
  ];
}

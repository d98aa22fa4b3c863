/**
 * Reads the configuration: one TOML file, then what the region has set, then the environment, then `--set`, the later wins. Every
 * mistake of all of them is reported at once, each with where it stands, what is wrong and what is allowed;
 * a hub never starts on half of a configuration, and never with a key that it does not know.
 *
 * Secrets are refused: a key such as `password` gets the advice to name a file instead. What an option
 * promises and this version cannot do is refused as well, so that nobody believes it is on.
 */
import { parse, TomlDate, TomlError, type TomlTable } from 'smol-toml';

import { closest } from '../base/closest.ts';
import { messageOf } from '../base/errors.ts';
import { textOf } from '../base/bytes.ts';
import { type AnyField, camelKey, type Rows, type SchemaNode, type Shape } from './fields.ts';
import { type Config, SCHEMA } from './schema.ts';
import { brokenRules } from './rules.ts';

export interface ConfigMistake {
  /** `heliograph.toml:12`, `--set` or the name of the environment variable; empty for a default. */
  readonly where: string;
  /** Dotted: `broker.port`, `capture[2].filter`; empty where the file as a whole is wrong. */
  readonly key: string;
  /** What is wrong and what is allowed. */
  readonly message: string;
}

export type ConfigOutcome =
  | {
      readonly kind: 'ok';
      readonly config: Config;
      /** Where each value comes from that is no default, by dotted key. */
      readonly sources: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'invalid'; readonly mistakes: readonly ConfigMistake[] };

export interface ConfigInput {
  /** The file's path, for messages, and its bytes, or why there are none. */
  readonly file?: { readonly path: string; readonly bytes: Uint8Array | string };
  /** What the region has set, by dotted key (remote.ts). */
  readonly remote?: Readonly<Record<string, unknown>>;
  /** Each `key=value`: value in TOML, or bare text. */
  readonly sets?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Where values of the region stand, for people. */
export const REMOTE_WHERE = 'the region';
const ENV_PREFIX = 'HELIOGRAPH_';
const SECRET = /(^|_)(password|passwd|passphrase|secret|token|private_key|psk)$/;

export function loadConfig(input: ConfigInput): ConfigOutcome {
  const reading = new Reading();
  if (input.file !== undefined) readFileInto(reading, input.file.path, input.file.bytes);
  for (const [key, value] of Object.entries(input.remote ?? {})) reading.setFromAfar(key, value);
  for (const [name, value] of Object.entries(input.env ?? {})) {
    const path = pathOfVariable(name);
    if (path !== undefined && value !== undefined) reading.override(path, value, name);
  }
  for (const set of input.sets ?? []) {
    const at = set.indexOf('=');
    if (at <= 0) reading.mistake('--set', set, 'is not of the form key=value');
    else reading.override(set.slice(0, at).trim(), set.slice(at + 1).trim(), '--set');
  }
  return reading.finish();
}

/** One mistake as a line for a terminal: `heliograph.toml:3: broker.port: 70000 is not allowed; …`. */
export function formatMistake(mistake: ConfigMistake): string {
  return [mistake.where, mistake.key, mistake.message].filter((part) => part !== '').join(': ');
}

/** The values and mistakes that were found so far, by dotted key. */
class Reading {
  readonly #values = new Map<string, unknown>();
  readonly #whereByKey = new Map<string, string>();
  readonly #mistakes: ConfigMistake[] = [];

  mistake(where: string, key: string, message: string): void {
    this.#mistakes.push({ where, key, message });
  }

  /** Takes a value of the file, or a part of one, that stands under `key`. */
  take(node: SchemaNode, key: string, value: unknown, whereOf: (key: string) => string): void {
    if (node.node === 'field') this.#takeField(node, key, value, whereOf(key));
    else if (node.node === 'section') this.takeTable(node.shape, key, value, whereOf);
    else this.#takeRows(node, key, value, whereOf);
  }

  takeTable(shape: Shape, key: string, value: unknown, whereOf: (key: string) => string): void {
    if (!isTable(value)) {
      this.mistake(whereOf(key), key, `${shown(value)} is not allowed; a table: [${key}]`);
      return;
    }
    for (const [name, inner] of Object.entries(value)) {
      const innerKey = key === '' ? name : `${key}.${name}`;
      const node = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (node !== undefined) this.take(node, innerKey, inner, whereOf);
      else this.mistake(whereOf(innerKey), innerKey, unknownKey(innerKey, shape, key));
    }
  }

  /** Takes a value from `--set` or the environment, which stands above the file. */
  override(key: string, raw: string, where: string): void {
    const node = nodeAt(key);
    if (node === undefined) this.mistake(where, key, unknownKey(key, SCHEMA, ''));
    else if (node.node === 'section')
      this.mistake(where, key, 'is a table; set its keys one by one');
    else {
      this.#forget(key);
      this.take(node, key, valueOfRaw(node, raw), () => where);
    }
  }

  /** Takes a value that the region has set. */
  setFromAfar(key: string, value: unknown): void {
    const node = nodeAt(key);
    if (node === undefined || node.node === 'section') {
      this.mistake(REMOTE_WHERE, key, unknownKey(key, SCHEMA, ''));
      return;
    }
    this.#forget(key);
    this.take(node, key, value, () => REMOTE_WHERE);
  }

  finish(): ConfigOutcome {
    const config = this.#build(SCHEMA, '') as Config;
    const wrong = new Set(this.#mistakes.map((mistake) => mistake.key));
    for (const broken of brokenRules(config)) {
      if (broken.keys.some((key) => wrong.has(key))) continue;
      const key =
        broken.keys.find((candidate) => this.#whereByKey.has(candidate)) ?? broken.keys[0];
      this.mistake(this.#whereByKey.get(key) ?? '', key, broken.message);
    }
    if (this.#mistakes.length === 0) {
      return { kind: 'ok', config, sources: this.#whereByKey };
    }
    return { kind: 'invalid', mistakes: this.#mistakes };
  }

  #takeField(field: AnyField, key: string, value: unknown, where: string): void {
    const read: unknown = field.read(value);
    if (read === undefined) {
      this.mistake(where, key, `${shown(value)} is not allowed; ${field.allowed}`);
      return;
    }
    this.#values.set(key, read);
    this.#whereByKey.set(key, where);
  }

  #takeRows(rows: Rows, key: string, value: unknown, whereOf: (key: string) => string): void {
    if (!Array.isArray(value) || value.length > rows.countMax) {
      const allowed = `up to ${rows.countMax} tables: [[${key}]]`;
      this.mistake(whereOf(key), key, `${shown(value)} is not allowed; ${allowed}`);
      return;
    }
    this.#values.set(key, value.length);
    this.#whereByKey.set(key, whereOf(key));
    for (const [index, row] of value.entries()) {
      const rowKey = `${key}[${index}]`;
      this.takeTable(rows.shape, rowKey, row, whereOf);
      for (const [name, field] of Object.entries(rows.shape)) {
        const needed = field.read(field.fallback) === undefined;
        if (!needed || (isTable(row) && Object.hasOwn(row, name))) continue;
        this.mistake(whereOf(rowKey), `${rowKey}.${name}`, `is missing; ${field.allowed}`);
      }
    }
  }

  /** An override of rows replaces all of them, and of a mistaken key the mistake. */
  #forget(key: string): void {
    const isPart = (other: string): boolean => other === key || other.startsWith(`${key}[`);
    for (const other of this.#values.keys()) if (isPart(other)) this.#values.delete(other);
    const kept = this.#mistakes.filter((mistake) => !isPart(mistake.key));
    this.#mistakes.splice(0, this.#mistakes.length, ...kept);
  }

  #build(shape: Shape, prefix: string): unknown {
    const built: Record<string, unknown> = {};
    for (const [name, node] of Object.entries(shape)) {
      const key = prefix + name;
      if (node.node === 'section') built[camelKey(name)] = this.#build(node.shape, `${key}.`);
      else if (node.node === 'field') {
        built[camelKey(name)] = this.#values.has(key) ? this.#values.get(key) : node.fallback;
      } else {
        const count = (this.#values.get(key) as number | undefined) ?? 0;
        built[camelKey(name)] = Array.from({ length: count }, (_, index) =>
          this.#build(node.shape, `${key}[${index}].`),
        );
      }
    }
    return Object.freeze(built);
  }
}

function readFileInto(reading: Reading, path: string, bytes: Uint8Array | string): void {
  if (typeof bytes === 'string') return reading.mistake(path, '', bytes);
  const text = textOf(bytes);
  if (text === undefined) return reading.mistake(path, '', 'is not a text in UTF-8');
  let table: TomlTable;
  try {
    table = parse(text, { maxDepth: 16 });
  } catch (error) {
    const line = error instanceof TomlError ? `:${error.line}` : '';
    const reason = (messageOf(error).split('\n')[0] as string).replace(
      /^Invalid TOML document: /,
      '',
    );
    return reading.mistake(`${path}${line}`, '', `is not TOML: ${reason}`);
  }
  const lines = linesOfKeys(text);
  reading.takeTable(SCHEMA, '', table, (key) => {
    const line = lines.get(key) ?? lines.get(key.replace(/\.[^.]*$/, ''));
    return line === undefined ? path : `${path}:${line}`;
  });
}

/**
 * The line of every key, found by its looks, since the parser keeps no places. Good for what people write;
 * a key inside an inline table has the line of the table's key.
 */
function linesOfKeys(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  const rowCounts = new Map<string, number>();
  let prefix = '';
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*(\[\[?)\s*([\w.\s"'-]+?)\s*\]/.exec(line);
    const assignment = /^\s*([\w.\s"'-]+?)\s*=/.exec(line);
    if (header !== null) {
      prefix = plainKey(header[2] as string);
      if (header[1] === '[[') {
        const count = rowCounts.get(prefix) ?? 0;
        rowCounts.set(prefix, count + 1);
        prefix = `${prefix}[${count}]`;
      }
      lines.set(prefix, index + 1);
    } else if (assignment !== null) {
      const key = plainKey(assignment[1] as string);
      const full = prefix === '' ? key : `${prefix}.${key}`;
      if (!lines.has(full)) lines.set(full, index + 1);
    }
  }
  return lines;
}

function plainKey(written: string): string {
  return written.replace(/["'\s]/g, '');
}

/**
 * `HELIOGRAPH_JOURNAL__TOTAL_MIB_MAX` → `journal.total_mib_max`. Without `__` only keys of the top level are
 * taken: container systems put names such as HELIOGRAPH_PORT into the environment by themselves.
 */
function pathOfVariable(name: string): string | undefined {
  if (!name.startsWith(ENV_PREFIX)) return undefined;
  const path = name.slice(ENV_PREFIX.length).toLowerCase().replaceAll('__', '.');
  return path.includes('.') || Object.hasOwn(SCHEMA, path) ? path : undefined;
}

function nodeAt(key: string): SchemaNode | undefined {
  let node: SchemaNode | undefined;
  let shape: Shape | undefined = SCHEMA;
  for (const name of key.split('.')) {
    node = shape !== undefined && Object.hasOwn(shape, name) ? shape[name] : undefined;
    shape = node?.node === 'section' ? node.shape : undefined;
  }
  return node;
}

/** TOML where it is TOML; otherwise the text as it stands, or its parts between commas for a list. */
function valueOfRaw(node: AnyField | Rows, raw: string): unknown {
  const parsed = parsedValue(raw);
  const bare = node.node === 'field' ? node.bare : 'value';
  if (bare === 'text') return typeof parsed === 'string' ? parsed : raw;
  if (bare === 'list')
    return Array.isArray(parsed) ? parsed : raw.split(',').filter((item) => item !== '');
  return parsed ?? raw;
}

function parsedValue(raw: string): unknown {
  try {
    const table = parse(`value = ${raw}`);
    return Object.keys(table).length === 1 ? table['value'] : undefined;
  } catch {
    return undefined;
  }
}

function unknownKey(key: string, shape: Shape, parent: string): string {
  const name = key.slice(key.lastIndexOf('.') + 1);
  if (SECRET.test(name)) {
    return 'secrets do not belong into the config; write it to a file and name that in `password_file`';
  }
  const names = Object.keys(shape).map((known) => (parent === '' ? known : `${parent}.${known}`));
  const guess = closest(key, parent === '' ? allKeys(SCHEMA, '') : names);
  return `unknown key${guess === undefined ? '' : `; did you mean ${guess}?`}`;
}

function allKeys(shape: Shape, prefix: string): string[] {
  const keys: string[] = [];
  for (const [name, node] of Object.entries(shape)) {
    keys.push(`${prefix}${name}`);
    if (node.node === 'section') keys.push(...allKeys(node.shape, `${prefix}${name}.`));
  }
  return keys;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  return !Array.isArray(value) && !(value instanceof TomlDate);
}

/** The value as it may stand in a message: short, and without the login of a URL, of which any sign may be a part. */
function shown(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)).replace(/\/\/(?:\\.|[^"\\])*@/g, '//…@');
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

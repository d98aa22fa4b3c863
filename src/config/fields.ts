/**
 * Building blocks of the configuration's schema. One declaration of a key gives its TypeScript type, its
 * default, what is allowed, its unit and the sentence that `heliograph config` prints; nothing about a key
 * stands anywhere else.
 *
 * A field judges a value that came from TOML; it does not know where the value came from (config.ts does).
 */
import { isTopicFilter } from '../model/topic.ts';

interface Field<T> {
  readonly node: 'field';
  /** What the key does, for the person who writes the file. */
  readonly doc: string;
  readonly fallback: T;
  /** What may stand there, unit included: "a whole number of MiB, 1 … 1024". */
  readonly allowed: string;
  /** How text without TOML quotes (`--set key=text`, environment) is taken. */
  readonly bare: 'text' | 'list' | 'value';
  /** The value, or undefined where it is not allowed. */
  read(value: unknown): T | undefined;
}

/** A table of keys: `[broker]`, `[journal.linger_ms]`. */
interface Section<S extends Shape = Shape> {
  readonly node: 'section';
  readonly doc: string;
  readonly shape: S;
}

/** An array of tables: `[[capture]]`. */
export interface Rows<S extends RowShape = RowShape> {
  readonly node: 'rows';
  readonly doc: string;
  readonly shape: S;
  readonly countMax: number;
}

export type AnyField = Field<unknown>;
export type SchemaNode = AnyField | Section | Rows;
export interface Shape {
  readonly [key: string]: SchemaNode;
}
interface RowShape {
  readonly [key: string]: AnyField;
}

/** `total_mib_max` → `totalMibMax`: TOML's spelling outside, TypeScript's inside. */
type CamelKey<K extends string> = K extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelKey<Tail>>}`
  : K;

export type ConfigOf<S extends Shape> = {
  readonly [K in keyof S & string as CamelKey<K>]: S[K] extends Field<infer T>
    ? T
    : S[K] extends Section<infer Inner>
      ? ConfigOf<Inner>
      : S[K] extends Rows<infer Row>
        ? readonly ConfigOf<Row>[]
        : never;
};

export function camelKey(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export function section<S extends Shape>(doc: string, shape: S): Section<S> {
  return { node: 'section', doc, shape };
}

export function rows<S extends RowShape>(doc: string, countMax: number, shape: S): Rows<S> {
  return { node: 'rows', doc, shape, countMax };
}

interface TextRule {
  readonly allowed: string;
  readonly holds: (text: string) => boolean;
}

const TEXT_CHARS_MAX = 4096;

const ANY_TEXT: TextRule = { allowed: 'text', holds: () => true };

export function text(fallback: string, doc: string, rule: TextRule = ANY_TEXT): Field<string> {
  const read = (value: unknown): string | undefined =>
    typeof value === 'string' && value.length <= TEXT_CHARS_MAX && rule.holds(value)
      ? value
      : undefined;
  return { node: 'field', doc, fallback, allowed: rule.allowed, bare: 'text', read };
}

/** Text that every row must give; it has no default. */
export function requiredText(doc: string, rule: TextRule): Field<string> {
  return text('', doc, rule);
}

interface NumberRule {
  readonly min: number;
  readonly max: number;
  /** Stands in the message after the range: "MiB", "s", "%". */
  readonly unit?: string;
  readonly whole?: boolean;
  /** What a special value means: "0: off". */
  readonly note?: string;
}

function numberAllowed(rule: NumberRule): string {
  const kind = rule.whole === false ? 'a number' : 'a whole number';
  const unit = rule.unit === undefined ? '' : ` of ${rule.unit}`;
  const note = rule.note === undefined ? '' : ` (${rule.note})`;
  return `${kind}${unit}, ${rule.min} … ${rule.max}${note}`;
}

function readNumber(rule: NumberRule, value: unknown): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  if (rule.whole !== false && !Number.isInteger(value)) return undefined;
  return value >= rule.min && value <= rule.max ? value : undefined;
}

export function number(fallback: number, rule: NumberRule, doc: string): Field<number> {
  const read = (value: unknown): number | undefined => readNumber(rule, value);
  return { node: 'field', doc, fallback, allowed: numberAllowed(rule), bare: 'value', read };
}

/** A number that is absent unless the file gives it: the part it is for has its own idea then. */
export function optionalNumber(rule: NumberRule, doc: string): Field<number | undefined> {
  return { ...number(0, rule, doc), fallback: undefined };
}

export function flag(fallback: boolean, doc: string): Field<boolean> {
  return { node: 'field', doc, fallback, allowed: 'true or false', bare: 'value', read: readFlag };
}

function readFlag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

export function choice<const T extends string>(
  options: readonly T[],
  fallback: NoInfer<T>,
  doc: string,
): Field<T> {
  const read = (value: unknown): T | undefined => options.find((option) => option === value);
  return {
    node: 'field',
    doc,
    fallback,
    allowed: options.map((option) => option || 'empty').join(' | '),
    bare: 'text',
    read,
  };
}

const LIST_ITEMS_MAX = 100;

export function list(
  fallback: readonly string[],
  doc: string,
  rule: TextRule,
): Field<readonly string[]> {
  const read = (value: unknown): readonly string[] | undefined => {
    if (!Array.isArray(value) || value.length > LIST_ITEMS_MAX) return undefined;
    const items: readonly unknown[] = value;
    return items.every((item): item is string => typeof item === 'string' && rule.holds(item))
      ? items
      : undefined;
  };
  return { node: 'field', doc, fallback, allowed: `a list of ${rule.allowed}`, bare: 'list', read };
}

/** Rules for texts that several keys share. */
export const HOST: TextRule = {
  allowed: 'a host name or an IP address',
  holds: (value) => /^[A-Za-z0-9._:-]{1,253}$/.test(value),
};

export const FILTER: TextRule = {
  allowed: 'an MQTT topic filter such as "meters/+/energy" or "alarms/#"',
  holds: isTopicFilter,
};

/** Such as `mqtt://broker.example:1883`, without user or password, which would be a secret in the config. */
export function urlOf(...schemes: string[]): TextRule {
  const holds = (value: string): boolean => {
    if (value === '') return true;
    if (!URL.canParse(value)) return false;
    const { protocol, username, password, hostname } = new URL(value);
    return schemes.includes(protocol.slice(0, -1)) && username + password === '' && hostname !== '';
  };
  const kinds = schemes.map((scheme) => `${scheme}://host:port`).join(' or ');
  return { allowed: `${kinds}, without user and password, or empty`, holds };
}

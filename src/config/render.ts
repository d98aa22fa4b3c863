/** The effective configuration as TOML that can be read back, or as JSON: `heliograph config`. */
import { parse, stringify } from 'smol-toml';

import { type AnyField, camelKey, type Rows, type Shape } from './fields.ts';
import { type Config, SCHEMA } from './schema.ts';

type Values = Readonly<Record<string, unknown>>;

/** Every key with its meaning and what is allowed; a key without a value stands as a comment. */
export function renderConfig(config: Config, sources: Sources = new Map()): string {
  return `${renderTable(SCHEMA, { values: config, prefix: '', sources }).join('\n').trim()}\n`;
}

/** The same as one JSON document, with the keys that the file and `--set` know. */
export function renderConfigJson(config: Config): string {
  return `${JSON.stringify(parse(renderConfig(config)))}\n`;
}

/** Where values come from that are no defaults, by dotted key. */
type Sources = ReadonlyMap<string, string>;

interface Place {
  readonly values: Values;
  readonly prefix: string;
  readonly sources: Sources;
}

/** Keys of a table before the tables inside it, as TOML wants them. */
function renderTable(shape: Shape, { values, prefix, sources }: Place): string[] {
  const lines: string[] = [];
  const tables: string[] = [];
  for (const [name, node] of Object.entries(shape)) {
    const value = values[camelKey(name)];
    const key = prefix + name;
    const from = sources.get(key);
    if (node.node === 'field') lines.push(...renderField(node, name, value, from));
    else if (node.node === 'section') {
      const inner = { values: value as Values, prefix: `${key}.`, sources };
      tables.push('', `# ${node.doc}`, `[${key}]`, ...renderTable(node.shape, inner));
    } else tables.push(...renderRows(node, key, value as readonly Values[], from));
  }
  return [...lines, ...tables];
}

function renderRows(
  rows: Rows,
  path: string,
  values: readonly Values[],
  from: string | undefined,
): string[] {
  const fields = Object.entries(rows.shape);
  const help = fields.map(
    ([name, field]) => `#   ${name}: ${field.doc} Allowed: ${field.allowed}.`,
  );
  const lines = ['', `# [[${path}]] ${rows.doc}${setBy(from)}`, ...help];
  for (const value of values) {
    lines.push(`[[${path}]]`);
    for (const [name] of fields) lines.push(`${name} = ${tomlValue(value[camelKey(name)])}`);
  }
  return lines;
}

function setBy(from: string | undefined): string {
  return from === undefined ? '' : ` Set by ${from}.`;
}

function renderField(
  field: AnyField,
  name: string,
  value: unknown,
  from: string | undefined,
): string[] {
  const line = value === undefined ? `# ${name} =` : `${name} = ${tomlValue(value)}`;
  return [`# ${field.doc} Allowed: ${field.allowed}.${setBy(from)}`, line];
}

function tomlValue(value: unknown): string {
  return stringify({ value })
    .trim()
    .replace(/^value = /, '');
}

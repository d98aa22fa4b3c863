/** The effective configuration as TOML that can be read back, or as JSON: `heliograph config`. */
import { parse, stringify } from 'smol-toml';

import { type AnyField, camelKey, type Rows, type Section, type Shape } from './fields.ts';
import { type Config, SCHEMA } from './schema.ts';

type Values = Readonly<Record<string, unknown>>;

/** Every key with its meaning and what is allowed; a key without a value stands as a comment. */
export function renderConfig(config: Config): string {
  return `${renderTable(SCHEMA, config, '').join('\n').trim()}\n`;
}

/** The same as one JSON document, with the keys that the file and `--set` know. */
export function renderConfigJson(config: Config): string {
  return `${JSON.stringify(parse(renderConfig(config)))}\n`;
}

/** Keys of a table before the tables inside it, as TOML wants them. */
function renderTable(shape: Shape, values: Values, prefix: string): string[] {
  const lines: string[] = [];
  const tables: string[] = [];
  for (const [name, node] of Object.entries(shape)) {
    const value = values[camelKey(name)];
    if (node.node === 'field') lines.push(...renderField(node, name, value));
    else if (node.node === 'section')
      tables.push(...renderSection(node, prefix + name, value as Values));
    else tables.push(...renderRows(node, prefix + name, value as readonly Values[]));
  }
  return [...lines, ...tables];
}

function renderSection(section: Section, path: string, values: Values): string[] {
  const inner = renderTable(section.shape, values, `${path}.`);
  return ['', `# ${section.doc}`, `[${path}]`, ...inner];
}

function renderRows(rows: Rows, path: string, values: readonly Values[]): string[] {
  const fields = Object.entries(rows.shape);
  const help = fields.map(
    ([name, field]) => `#   ${name}: ${field.doc} Allowed: ${field.allowed}.`,
  );
  const lines = ['', `# [[${path}]] ${rows.doc}`, ...help];
  for (const value of values) {
    lines.push(`[[${path}]]`);
    for (const [name] of fields) lines.push(`${name} = ${tomlValue(value[camelKey(name)])}`);
  }
  return lines;
}

function renderField(field: AnyField, name: string, value: unknown): string[] {
  const line = value === undefined ? `# ${name} =` : `${name} = ${tomlValue(value)}`;
  return [`# ${field.doc} Allowed: ${field.allowed}.`, line];
}

function tomlValue(value: unknown): string {
  return stringify({ value })
    .trim()
    .replace(/^value = /, '');
}

/**
 * Documents and comments say what is: links lead somewhere, files that are named are there, scripts exist, and a number
 * written as `NAME = value` (in backticks) is the value of the exported constant of that name.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

import { test } from 'vitest';

import { ROOT } from '../support/machine/spawn.ts';
import { commentsOf, documents, filesBelow, readText } from './tree.ts';

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;

test('relative links lead to a file, and their anchors to a heading', () => {
  const broken = documents().flatMap((file) =>
    [...withoutCode(file.text).matchAll(LINK)]
      .map((match) => match[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => !leadsSomewhere(file.path, link))
      .map((link) => `${file.path}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

function leadsSomewhere(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : posix.join(dirname(from), path);
  if (!existsSync(join(ROOT, target))) return false;
  if (anchor === undefined || !target.endsWith('.md')) return true;
  const headings = readText(target).matchAll(/^#+ (.*)$/gm);
  return [...headings].some((match) => slug(match[1] ?? '') === anchor);
}

/** As the hosts of repositories make anchors of headings. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** `power/log/sync-log.ts`, `MERGE.md`: as much of the path as tells which file is meant. */
const FILE_NAME =
  /(?<![\w./-])(?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)*\.(?:ts|js|mjs|md|cddl|sh|py|html)\b/g;
/** Products that are called like files, and files that only the built program or somebody else has. */
const ELSEWHERE = new Set(['MQTT.js', 'Node.js']);

test('files that comments name are there', () => {
  const code = ['src', 'test', 'deploy'].flatMap((folder) =>
    filesBelow(folder, '.ts', '.js', '.mjs'),
  );
  const paths = ['src', 'test', 'deploy'].flatMap((folder) =>
    filesBelow(folder, '').map(({ path }) => `/${path}`),
  );
  const isThere = (name: string): boolean => paths.some((path) => path.endsWith(`/${name}`));
  const missing = code.flatMap((file) =>
    [...commentsOf(file.text).matchAll(FILE_NAME)]
      .map(([name]) => name)
      .filter((name) => !ELSEWHERE.has(name) && !isThere(name))
      .map((name) => `${file.path}: ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('npm scripts that documents name exist', () => {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
  const missing = documents().flatMap((file) =>
    [...file.text.matchAll(/npm run ([a-z:-]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((name) => !(name in scripts))
      .map((name) => `${file.path}: npm run ${name}`),
  );
  assert.deepEqual(missing, []);
});

const STATEMENT = /`([A-Z][A-Z0-9_]*) = ([^`]+)`/g;
const UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 1_024, MiB: 1_048_576 };

test('numbers in documents equal the constants they name', async () => {
  const statements = documents().flatMap((file) =>
    [...file.text.matchAll(STATEMENT)].map((match) => ({
      where: file.path,
      name: match[1] ?? '',
      value: match[2] ?? '',
    })),
  );
  const wrong = await Promise.all(
    statements.map(async ({ where, name, value }) => {
      const values = await exportedValues(name, dirname(where));
      const said = valueOf(value);
      const agrees = values.length > 0 && values.every((found) => found === said);
      return agrees ? [] : [`${where}: ${name} = ${value}, in code ${values.join(', ') || 'none'}`];
    }),
  );
  assert.deepEqual(wrong.flat(), []);
});

/** `1 MiB`, `65,536`, `0x01`; anything else is a text and compared as such. */
function valueOf(text: string): unknown {
  const [, digits, unit] =
    /^(-?[\d.,_]+|0x[0-9a-f]+)(?: (KiB|MiB|s|ms|min|B|bytes|%))?$/.exec(text) ?? [];
  if (digits === undefined) return text.replaceAll(/^['"]|['"]$/g, '');
  return Number(digits.replaceAll(/[,_]/g, '')) * (UNITS[unit ?? ''] ?? 1);
}

/** From the code beside the document, where it has a constant of that name; otherwise from all of it. */
async function exportedValues(name: string, folder: string): Promise<unknown[]> {
  const everywhere = filesBelow('src', '.ts').filter((file) =>
    new RegExp(String.raw`^export const ${name}\b`, 'm').test(file.text),
  );
  const beside = everywhere.filter((file) => file.path.startsWith(`${folder}/`));
  const holders = beside.length > 0 ? beside : everywhere;
  const modules = holders.map((file) => import(join(ROOT, file.path)) as Promise<object>);
  const loaded = await Promise.all(modules);
  return loaded.map((module) => (module as Record<string, unknown>)[name]);
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

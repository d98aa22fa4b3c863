/** The house is in order: what stands at the top, how long files are, what was left behind. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { FAULTS } from '../../src/base/errors.ts';
import { PROGRAM_VERSION } from '../../src/versions.ts';
import { filesBelow, readText, topLevelNames } from './tree.ts';

const LINES_MAX = 420;
const code = ['src', 'test'].flatMap((folder) => filesBelow(folder, '.ts'));
const sources = code.filter((file) => file.path.startsWith('src/'));

test('the top level holds what its list says and dot-files', () => {
  const list = ['package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'LICENSE'];
  const allowed = new Set([...list, 'src', 'test', 'deploy', 'systemd']);
  const stray = topLevelNames().filter((name) => !name.startsWith('.') && !allowed.has(name));
  assert.deepEqual(stray, []);
});

test('nothing of the code is hidden from git, linter and formatter', () => {
  // A pattern that begins with a slash is about the top level alone.
  const hidden = ['.gitignore', '.prettierignore']
    .flatMap((path) => readText(path).split('\n'))
    .filter((pattern) => pattern !== '' && !pattern.startsWith('/'))
    .map((pattern) => `/${pattern.replace(/\/$/, '')}/`)
    .flatMap((folder) => code.filter(({ path }) => `/${path}`.includes(folder)))
    .filter(({ path }) => !path.startsWith('test/golden/'));
  assert.deepEqual(
    hidden.map(({ path }) => path),
    [],
  );
});

test('no file is longer than one can read in one go', () => {
  const long = code
    .map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX);
  assert.deepEqual(long, []);
});

test('a unit test that bears the name of a file of its room stands in the same folder', () => {
  const places = new Set(sources.map(({ path }) => path.slice('src/'.length)));
  const named = new Set([...places].map((place) => nameInRoom(place)));
  const astray = filesBelow('test/unit', '.test.ts').filter(({ path }) => {
    const mirrored = path.slice('test/unit/'.length).replace('.test.ts', '.ts');
    return named.has(nameInRoom(mirrored)) && !places.has(mirrored);
  });
  assert.deepEqual(
    astray.map(({ path }) => path),
    [],
  );
});

/** `hub retention.ts` for `hub/storage/retention.ts`. */
function nameInRoom(path: string): string {
  return `${path.split('/')[0]} ${path.split('/').at(-1)}`;
}

test('nothing was left behind', () => {
  // Written in two halves, so that this list is not its own finding.
  const words = ['TO|DO', 'FIX|ME', 'XX|X', 'HA|CK'].map((word) => word.replace('|', ''));
  const marks = [
    new RegExp(String.raw`\b(${words.join('|')})\b`),
    /\b(?:it|test|describe)\.(?:only|todo)\b/,
    /@ts-(?:ignore|expect-error|nocheck)/,
    /\bas any\b/,
    /(?:ox|es)lint-disable(?!.* -- \w)/,
  ];
  const found = [
    ...code,
    ...filesBelow('deploy', '.sh', '.md'),
    ...filesBelow('systemd', '.service'),
  ]
    .filter((file) => file.path !== 'test/tidy/house.test.ts')
    .flatMap((file) =>
      file.text
        .split('\n')
        .map((line, index) => ({ at: `${file.path}:${index + 1}`, line }))
        .filter(({ line }) => marks.some((mark) => mark.test(withoutTexts(line))))
        .map(({ at, line }) => `${at} ${line.trim()}`),
    );
  assert.deepEqual(found, []);
});

/** The line without what stands in quotes, so that the title of a test is no finding. */
function withoutTexts(line: string): string {
  return line.replaceAll(/'[^']*'|"[^"]*"|`[^`]*`/g, "''");
}

test('a test that is skipped says what it lacks', () => {
  const silent = code
    .filter((file) => file.path !== 'test/tidy/house.test.ts')
    .flatMap((file) =>
      [...file.text.matchAll(/\b(?:it|test|describe)\.skip\(/g)]
        .filter((match) => !file.text.slice(match.index, match.index + 120).includes('skipped:'))
        .map(() => file.path),
    );
  assert.deepEqual(silent, []);
});

test('exports have names', () => {
  const nameless = sources.filter((file) => /^export default\b/m.test(file.text));
  assert.deepEqual(
    nameless.map((file) => file.path),
    [],
  );
});

test('every fault code is raised somewhere', () => {
  const elsewhere = sources.filter((file) => file.path !== 'src/base/errors.ts');
  const text = elsewhere.map((file) => file.text).join('\n');
  assert.deepEqual(
    Object.keys(FAULTS).filter((faultCode) => !text.includes(`'${faultCode}'`)),
    [],
  );
});

test('the fault table is written nowhere else', () => {
  const hints: readonly string[] = Object.values(FAULTS);
  const copies = sources
    .filter((file) => file.path !== 'src/base/errors.ts')
    .filter((file) => hints.some((hint) => file.text.includes(hint)));
  assert.deepEqual(
    copies.map((file) => file.path),
    [],
  );
});

test('the lock file names every optional package, without which npm ci refuses', () => {
  const lock = JSON.parse(readText('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) =>
        !(`node_modules/${name}` in lock.packages) &&
        !(`${path}/node_modules/${name}` in lock.packages),
    ),
  );
  assert.deepEqual(missing, []);
});

test('the version is one, and the changelog knows it', () => {
  const { version } = JSON.parse(readText('package.json')) as { version: string };
  assert.equal(PROGRAM_VERSION, version);
  assert.ok(readText('deploy/CHANGELOG.md').includes(`\n## ${version}\n`));
});

test('the compiled entry of package.json is src/main.ts', () => {
  const manifest = JSON.parse(readText('package.json')) as { bin: Record<string, string> };
  assert.deepEqual(manifest.bin, { heliograph: 'dist/main.js' });
  assert.match(readText('src/main.ts'), /^#!\/usr\/bin\/env node\n/);
});

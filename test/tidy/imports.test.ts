/** The tables of src/README.md hold: who may import whom, and which package is whose. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { filesBelow, importsOf, readText, type SourceFile, withoutComments } from './tree.ts';

const sources = filesBelow('src', '.ts');
const ANYTHING = 'anything';

/** Rows of the table under `heading` in src/README.md, its head left out. */
function tableUnder(heading: string): string[][] {
  const section = readText('src/README.md').split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  assert.ok(section, `src/README.md has "## ${heading}"`);
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function names(cell: string | undefined): string[] {
  return (cell ?? '').split(', ').filter((name) => name !== '' && name !== 'nothing');
}

/** Room → rooms it may import. */
const allowed = new Map(
  tableUnder('Import table').flatMap(([rooms, imports]) =>
    names(rooms).map((room) => [room, new Set(names(imports))] as const),
  ),
);

/** The folder below src, or the file at its top. */
function roomOf(path: string): string {
  const [, first = ''] = path.split('/');
  return first;
}

test('every room of src stands in the import table, and every name there is a room', () => {
  const rooms = new Set(sources.map((file) => roomOf(file.path)));
  assert.deepEqual(
    [...rooms].filter((room) => !allowed.has(room)),
    [],
  );
  const unknown = [...allowed].flatMap(([room, imports]) => [room, ...imports]);
  const known = new Set([...rooms, ANYTHING]);
  assert.deepEqual(
    unknown.filter((name) => !known.has(name)),
    [],
  );
});

test('every folder of a room stands in the line of the map that tells what the room is', () => {
  const lines = new Map(tableUnder('Map').map(([place = '', what = '']) => [place, what]));
  const silent = sources
    .map(({ path }) => path.split('/').slice(1, -1))
    .filter(
      ([room, folder]) => folder !== undefined && !lines.get(`${room}/`)?.includes(`${folder}/`),
    )
    .map(([room, folder]) => `${room}/${folder}/`);
  assert.deepEqual([...new Set(silent)], []);
});

test('no room imports what the table does not give it', () => {
  const breaches = sources.flatMap((file) => {
    const room = roomOf(file.path);
    const may = allowed.get(room) ?? new Set();
    return importsOf(file)
      .filter(({ target }) => target !== undefined)
      .map(({ target }) => roomOf(target ?? ''))
      .filter((other) => other !== room && !may.has(other) && !may.has(ANYTHING))
      .map((other) => `${file.path} imports ${other}`);
  });
  assert.deepEqual(breaches, []);
});

test('no room that the table binds leads back to itself', () => {
  const bound = [...allowed].filter(([, imports]) => !imports.has(ANYTHING));
  assert.deepEqual(cycleIn(new Map(bound)), undefined);
});

test('no file leads back to itself, types included', () => {
  const targets = sources.map((file) => {
    const found = importsOf(file).flatMap(({ target }) => (target === undefined ? [] : [target]));
    return [file.path, new Set(found)] as const;
  });
  assert.deepEqual(cycleIn(new Map(targets)), undefined);
});

test('imports are relative with their ending, or name a package', () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ target }) => target !== undefined && !target.endsWith('.ts'))
      .map(({ specifier }) => `${file.path}: ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

/** Modules of Node that compute and touch nothing. */
const PURE_MODULES = new Set(['node:crypto', 'node:zlib', 'node:path', 'node:util', 'node:url']);
const touchesMachine = (file: SourceFile): boolean =>
  file.path.startsWith('src/platform/') || isEntry(file) || isDevicePlatform(file);
const isEntry = ({ path }: SourceFile): boolean =>
  path === 'src/main.ts' || path === 'src/program.ts';
/** The device's own platform: the SDK runs without ours. */
const isDevicePlatform = ({ path }: SourceFile): boolean =>
  /^src\/(?:notebook\/|client\/(?:node|browser|browser-time|storage\/(?:file-storage|indexed-db))\.ts$)/.test(
    path,
  );

test('only platform and the program’s entry import modules that touch the machine', () => {
  const breaches = sources
    .filter((file) => !touchesMachine(file))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('node:') && !PURE_MODULES.has(specifier))
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    );
  assert.deepEqual(breaches, []);
});

const MACHINE_WORDS =
  /(?<![\w.'])(?:Date\.now|new Date\(\)|setTimeout|setInterval|setImmediate|queueMicrotask|process\.|performance\.|Math\.random|globalThis)/;

test('only platform and the program’s entry read the clock, set timers, draw dice or know the process', () => {
  const breaches = sources
    .filter((file) => !touchesMachine(file))
    .filter((file) => MACHINE_WORDS.test(withoutComments(file.text)))
    .map((file) => `${file.path}: ${MACHINE_WORDS.exec(withoutComments(file.text))?.[0]}`);
  assert.deepEqual(breaches, []);
});

test('rooms that also run on devices use neither node: nor Buffer', () => {
  const rooms = new Set(['base', 'codec', 'model', 'merge', 'protocol', 'client', 'notebook']);
  const isForNode = ({ path }: SourceFile): boolean =>
    /^src\/client\/(?:node|storage\/file-storage)\.ts$/.test(path);
  const breaches = sources
    .filter((file) => rooms.has(roomOf(file.path)) && !isForNode(file))
    .filter((file) => /'node:|\bBuffer\b/.test(withoutComments(file.text)))
    .map((file) => file.path);
  assert.deepEqual(breaches, []);
});

test('a package is imported by its own rooms only, and every dependency is somebody’s', () => {
  const owners = new Map(tableUnder('Packages').map(([name, rooms]) => [name, names(rooms)]));
  const { dependencies, optionalDependencies } = JSON.parse(readText('package.json')) as {
    dependencies: object;
    optionalDependencies?: object;
  };
  const all = { ...dependencies, ...optionalDependencies };
  assert.deepEqual(new Set(owners.keys()), new Set(Object.keys(all)));
  for (const [name, rooms] of tableUnder('Built into pages')) {
    owners.set(name ?? '', [...(owners.get(name ?? '') ?? []), ...names(rooms)]);
  }
  const breaches = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .filter(({ specifier }) => !owners.get(packageOf(specifier))?.includes(roomOf(file.path)))
      .map(({ specifier }) => `${file.path} imports ${specifier}`),
  );
  assert.deepEqual(breaches, []);
});

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The first way round that is found, as `a → b → a`. */
function cycleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): string | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node].join(' → ');
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle !== undefined) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

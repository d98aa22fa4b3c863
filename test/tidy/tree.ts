/** The files of the project as the tidy tests see them: paths from its folder, with `/`. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

import { ROOT } from '../support/machine/spawn.ts';

export interface SourceFile {
  /** `src/base/bytes.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Names that .gitignore keeps out of the tree. */
const ignored = new Set(
  readFileSync(join(ROOT, '.gitignore'), 'utf8')
    .split('\n')
    .map((line) => line.replaceAll(/^\/|\/$/g, '')),
);

export function topLevelNames(): string[] {
  return readdirSync(ROOT).filter((name) => !ignored.has(name));
}

/** All files below `folder` whose names end in one of `endings`, in order of path. */
export function filesBelow(folder: string, ...endings: readonly string[]): SourceFile[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => path.slice(ROOT.length).split('\\').join('/'))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((path) => ({ path, text: readText(path) }));
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Every document: the ones at the top and those beside the code. */
export function documents(): SourceFile[] {
  const top = topLevelNames().filter((name) => name.endsWith('.md'));
  return [
    ...top.map((path) => ({ path, text: readText(path) })),
    ...['src', 'test', 'deploy', 'systemd'].flatMap((folder) => filesBelow(folder, '.md')),
  ];
}

export interface Import {
  /** As written: `../base/bytes.ts`, `node:crypto`, `hono`. */
  readonly specifier: string;
  /** Path of the file in the tree, where the specifier is relative. */
  readonly target: string | undefined;
}

const IMPORT =
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*'([^']+)'|\bimport\(\s*'([^']+)'|^import\s*'([^']+)'/gm;

export function importsOf(file: SourceFile): Import[] {
  return [...file.text.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    const isRelative = specifier.startsWith('.');
    const target = isRelative ? posix.join(dirname(file.path), specifier) : undefined;
    return { specifier, target };
  });
}

const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm;

/** The text without comments, so that prose does not count as code. Good enough for a search by word. */
export function withoutComments(text: string): string {
  return text.replaceAll(COMMENT, '');
}

/** The comments of the text, as good as `withoutComments`. */
export function commentsOf(text: string): string {
  return (text.match(COMMENT) ?? []).join('\n');
}

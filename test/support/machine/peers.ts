/**
 * Programs of the system that a test needs beside it. On a developer's machine a missing one skips the
 * test, saying which; with REQUIRE_PEERS=1 (CI) it fails, so that a skip never passes for a pass.
 */
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { test } from 'vitest';

/** Debian keeps daemons and some tools outside a plain user's PATH. */
const EXTRA_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];
/** … and those of PostgreSQL in a folder a version. */
const POSTGRES_FOLDER = '/usr/lib/postgresql';
const required = process.env['REQUIRE_PEERS'] === '1';

/** Whether what needs these programs runs: all are here, or REQUIRE_PEERS=1 forbids skipping. */
export function runsWith(...names: readonly string[]): boolean {
  return required || names.every((name) => peer(name) !== undefined);
}

/** Where the program is, or undefined where this machine has none. */
export function peer(name: string): string | undefined {
  const own = (process.env['PATH'] ?? '').split(delimiter);
  const folders = [...own, ...EXTRA_FOLDERS, ...postgresFolders()];
  return folders.map((folder) => join(folder, name)).find((path) => isExecutable(path));
}

/**
 * A test that needs these programs: runs with their paths, in the same order; skips with their names in
 * the title where one is absent, or fails where REQUIRE_PEERS=1.
 */
export function testWithPeers(
  title: string,
  names: readonly string[],
  run: (paths: readonly string[]) => void | Promise<void>,
): void {
  const paths = names.map((name) => peer(name));
  const absent = names.filter((_, index) => paths[index] === undefined);
  const why = absent.length === 0 ? undefined : `needs ${absent.join(', ')}`;
  testUnless(why, title, () => run(paths as string[]));
}

/** A test that something may be in the way of: then it skips and says what, or fails where REQUIRE_PEERS=1. */
export function testUnless(
  why: string | undefined,
  title: string,
  run: () => void | Promise<void>,
): void {
  if (why === undefined) test(title, run);
  else if (required) {
    test(title, () => {
      throw new Error(`${why}, and REQUIRE_PEERS=1 forbids skipping`);
    });
  } else test.skip(`${title} (skipped: ${why})`, () => undefined);
}

/** The newest first. */
function postgresFolders(): string[] {
  try {
    const versions = readdirSync(POSTGRES_FOLDER).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(POSTGRES_FOLDER, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

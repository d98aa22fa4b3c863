/**
 * Runs a TypeScript file of the tests as a process of its own, for what only a real end of a process shows.
 * It is compiled with all that it imports; Node 20 runs no TypeScript.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import { ROOT, type Spawned, spawnProcess } from './spawn.ts';

/** Starts `script` (a path from the project's folder); it is ended with the test. Call it inside a test. */
export function spawnScript(script: string, args: readonly string[]): Spawned {
  return spawnProcess(process.execPath, [compileScript(script), ...args]);
}

/** Path of `script` as JavaScript that Node runs; gone when the test has ended. */
export function compileScript(script: string): string {
  // Inside the tree, so that packages are found from there.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, 'heliograph-script-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      rootDir: ROOT,
      outDir: dir,
      rewriteRelativeImportExtensions: true,
      typeRoots: [join(ROOT, 'node_modules/@types')],
    },
    include: [],
    files: [join(ROOT, script)],
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', join(dir, 'tsconfig.json')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return join(dir, script.replace(/\.ts$/, '.js'));
}

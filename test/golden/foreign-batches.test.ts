/**
 * BATCH.md followed by somebody else: a reader in Python, written from its text alone, over the golden files. Signatures, ids,
 * trees, rows, encryption up and down, chunks, greetings, receipts and the answer after a cut.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { testUnless } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const READER = join(import.meta.dirname, 'batch_reader.py');
const CLAIMS = 7;

/** Debian's comes first: it is the one that Debian's packages are for, whatever else is on the path. */
const PYTHONS = ['/usr/bin/python3', 'python3'];
const MODULES = ['cryptography', 'brotli'];

interface Ran {
  readonly output: string;
  readonly isGood: boolean;
}

function run(python: string, ...argv: readonly string[]): Ran {
  const { stdout, stderr, status } = spawnSync(python, argv, { encoding: 'utf8' });
  return { output: `${stdout}${stderr}`, isGood: status === 0 };
}

const able = PYTHONS.find((python) => run(python, '-c', `import ${MODULES.join(', ')}`).isGood);
const packages = MODULES.map((name) => `python3-${name}`).join(', ');
const lacking = able === undefined ? `needs ${packages}` : undefined;

const python = (...argv: readonly string[]): Ran => run(able as string, ...argv);

testUnless(lacking, 'a reader written from BATCH.md reads what we wrote', () => {
  const read = python(READER, import.meta.dirname);
  assert.ok(read.isGood, read.output);
  assert.equal(read.output.trim().split('\n').length, CLAIMS, read.output);
  // It does look: one bit of an encrypted payload, and it stops there.
  const dir = tempDir();
  cpSync(import.meta.dirname, dir, { recursive: true });
  const path = join(dir, 'batch-down-1.json');
  const golden = JSON.parse(readFileSync(path, 'utf8')) as { batch: string };
  const [last] = golden.batch.slice(-1);
  const batch = `${golden.batch.slice(0, -1)}${last === '0' ? '1' : '0'}`;
  writeFileSync(path, JSON.stringify({ ...golden, batch }));
  const changed = python(READER, dir);
  assert.ok(!changed.isGood);
  assert.match(changed.output, /payload_sha256/);
});

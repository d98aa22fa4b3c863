/**
 * BATCH.md followed by somebody else: a reader in Python, written from its text alone, over the golden files. Signatures, ids,
 * trees, rows, encryption up and down, chunks, greetings, receipts and the answer after a cut.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { peer, testUnless } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const READER = join(import.meta.dirname, 'batch_reader.py');
const CLAIMS = 7;

function python(...argv: readonly string[]): { output: string; isGood: boolean } {
  const { stdout, stderr, status } = spawnSync('python3', argv, { encoding: 'utf8' });
  return { output: `${stdout}${stderr}`, isGood: status === 0 };
}

/** What of Python is not here. */
function lacking(): string | undefined {
  if (peer('python3') === undefined) return 'needs python3';
  const modules = ['cryptography', 'brotli'];
  const absent = modules.filter((name) => !python('-c', `import ${name}`).isGood);
  return absent.length === 0
    ? undefined
    : `needs ${absent.map((name) => `python3-${name}`).join(', ')}`;
}

testUnless(lacking(), 'a reader written from BATCH.md reads what we wrote', () => {
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

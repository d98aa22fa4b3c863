import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe } from 'vitest';

import { testWithPeers } from '../../support/machine/peers.ts';
import { compileScript } from '../../support/machine/script.ts';
import { spawnProcess } from '../../support/machine/spawn.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

/** For each of three commits, the system calls on the WAL before it returned: `write` or `sync`. */
async function callsByCommit(tracer: string, durability: string): Promise<string[][]> {
  const dir = tempDir();
  const trace = join(dir, 'trace');
  const script = compileScript('test/unit/store/three-commits.ts');
  const options = ['-f', '-y', '-e', 'trace=fsync,fdatasync,pwrite64,write', '-o', trace];
  const child = spawnProcess(tracer, [...options, process.execPath, script, dir, durability]);
  assert.equal(await child.exited, 0);
  const lines = readFileSync(trace, 'utf8').split('\n');
  const marks = lines.flatMap((line, index) => (/"(opened|committed)/.test(line) ? [index] : []));
  return marks.slice(1).map((end, index) =>
    lines
      .slice(marks[index], end)
      .filter((line) => line.includes('state.db-wal>'))
      .map((line) => (line.includes('sync(') ? 'sync' : 'write')),
  );
}

describe('commits, as strace sees them,', () => {
  testWithPeers(
    'are written and synced before they return where each is a promise',
    ['strace'],
    async ([strace]) => {
      const commits = await callsByCommit(strace ?? '', 'each-commit');
      assert.equal(commits.length, 3);
      for (const calls of commits) {
        const synced = calls.lastIndexOf('sync');
        assert.ok(synced > 0, calls.join());
        // SQLite pads the sector behind the commit record after the sync; that page belongs to nobody.
        assert.ok(calls.length - synced - 1 <= 1, calls.join());
      }
    },
  );

  testWithPeers(
    'never wait for the card where the journal has it all',
    ['strace'],
    async ([strace]) => {
      const commits = await callsByCommit(strace ?? '', 'replayable');
      assert.ok(commits.every((calls) => calls.length > 0 && !calls.includes('sync')));
    },
  );
});

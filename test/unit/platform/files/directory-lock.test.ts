import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'vitest';

import { lockDirectory } from '../../../../src/platform/files/directory-lock.ts';
import { childOfDeafParent, statOf } from '../../../support/machine/deaf-parent.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'heliograph-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const ownBoot = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

test('the message names the holder', () => {
  const lock = lockDirectory(dir);
  assert.throws(() => lockDirectory(dir), {
    code: 'data.locked',
    message: new RegExp(`process ${process.pid} on`),
  });
  lock.release();
  assert.equal(existsSync(join(dir, 'lock')), false);
});

test('a living holder blocks, a killed one does not, though its lock file is still there', async () => {
  const { dev, ino } = statSync(dir, { bigint: true });
  const name = `\\0heliograph-${dev.toString(16)}-${ino.toString(16)}`;
  const program = `require('node:net').createServer().listen('${name}', () => console.log('held'))`;
  const holder = spawn(process.execPath, ['-e', program]);
  await once(holder.stdout, 'data');
  writeFileSync(join(dir, 'lock'), JSON.stringify({ pid: holder.pid, host: 'here', since: 'now' }));
  const message = new RegExp(`process ${holder.pid} on here`);
  assert.throws(() => lockDirectory(dir), { code: 'data.locked', message });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  lockDirectory(dir).release();
});

test('the living process that the lock file names blocks, even where its socket is out of sight', async () => {
  const sleeper = spawn('sleep', ['30']);
  await once(sleeper, 'spawn');
  const startTicks = statOf(sleeper.pid ?? 0)[19];
  const owner = { pid: sleeper.pid, startTicks, boot: ownBoot(), host: 'here', since: 'now' };
  writeFileSync(join(dir, 'lock'), JSON.stringify(owner));
  assert.throws(() => lockDirectory(dir), {
    code: 'data.locked',
    message: new RegExp(`process ${sleeper.pid}`),
  });

  writeFileSync(join(dir, 'lock'), JSON.stringify({ ...owner, startTicks: '1' }));
  lockDirectory(dir).release(); // The number was given to another process meanwhile.
  writeFileSync(join(dir, 'lock'), JSON.stringify({ ...owner, boot: 'another boot' }));
  lockDirectory(dir).release();
  writeFileSync(join(dir, 'lock'), JSON.stringify(owner));
  sleeper.kill('SIGKILL');
  await once(sleeper, 'exit');
  lockDirectory(dir).release();
});

test('a holder that was killed, and whose parent never asks how it ended, does not block', async () => {
  const child = await childOfDeafParent();
  try {
    const startTicks = statOf(child.pid)[19];
    const owner = { pid: child.pid, startTicks, boot: ownBoot(), host: 'here', since: 'now' };
    writeFileSync(join(dir, 'lock'), JSON.stringify(owner));
    assert.throws(() => lockDirectory(dir), { code: 'data.locked' });
    await child.kill();
    lockDirectory(dir).release();
  } finally {
    child.close();
  }
});

test('a copy of a folder whose hub runs is nobody’s', () => {
  const lock = lockDirectory(dir);
  const copy = mkdtempSync(join(tmpdir(), 'heliograph-lock-'));
  copyFileSync(join(dir, 'lock'), join(copy, 'lock'));
  lockDirectory(copy).release();
  rmSync(copy, { recursive: true });
  lock.release();
});

test('a lock file cut by a power failure does not block', () => {
  for (const rubbish of ['', '{"pid": 12', 'null', '7']) {
    writeFileSync(join(dir, 'lock'), rubbish);
    lockDirectory(dir).release();
  }
});

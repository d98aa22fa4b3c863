/** Ctrl-C ends commands that take long, at once, and leaves no process and no folder behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'vitest';

import { heliograph } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends a benchmark with its hubs, and their data goes`, async () => {
    const dir = tempDir();
    const bench = heliograph(['bench', 'recover', '--ops', '1000', '--runs', '99', '--dir', dir]);
    await appears(dir, /^bench-[^/]+\/empty-\d+\/lock$/);
    bench.kill(signal);
    assert.equal(await bench.exited, code, bench.lines.join('\n'));
    assert.deepEqual(readdirSync(dir), []);
  });
}

test('a demo that is interrupted before its devices have begun ends at once', async () => {
  const dir = tempDir();
  const demo = heliograph(['demo', '--no-page', '--speed', '1'], { TMPDIR: dir });
  await appears(dir, /^heliograph-demo-[^/]+\/lock$/);
  demo.kill('SIGINT');
  assert.equal(await demo.exited, 130, demo.lines.join('\n'));
  assert.deepEqual(readdirSync(dir), []);
});

test('a hub that is stopped while it opens ends in order', async () => {
  const sets = ['--set', 'broker.port=0', '--set', 'http.port=0'];
  const hub = heliograph(['run', '--data', tempDir(), ...sets]);
  await hub.line(/journal\.opened/);
  hub.kill('SIGTERM');
  assert.equal(await hub.exited, 0, hub.lines.join('\n'));
  await hub.line(/hub\.closed/);
});

test('a regional node that waits for its database when it is stopped ends, too', async () => {
  const database = `regional.database=postgres://nobody@127.0.0.1:${await freePort()}/none`;
  const sets = ['--set', database, '--set', 'regional.port=0', '--set', 'regional.http_port=0'];
  const region = heliograph(['regional', 'run', '--data', tempDir(), ...sets]);
  await region.line(/database\.away/);
  region.kill('SIGTERM');
  assert.equal(await region.exited, 0, region.lines.join('\n'));
  await region.line(/region\.closed/);
});

test('half of an asset does not bear its name', async () => {
  const dir = tempDir();
  const slow = createServer((request, answer) => {
    // The first part comes, the second never does.
    if (!request.headers.range?.startsWith('bytes=0-')) return;
    answer.writeHead(206, { 'Content-Range': 'bytes 0-3/8' }).end('half');
  });
  slow.listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const { port } = slow.address() as AddressInfo;
  const photo = join(dir, 'photo.jpg');
  const asset = ['00'.repeat(32), photo, '--url', `http://127.0.0.1:${port}`];
  const get = heliograph(['assets', 'get', ...asset]);
  await appears(dir, /^photo/);
  get.kill('SIGINT');
  assert.equal(await get.exited, 130, get.lines.join('\n'));
  slow.closeAllConnections();
  slow.close();
  assert.ok(!existsSync(photo));
});

/** Waits for such a path below the folder, whose files come and go meanwhile. */
async function appears(dir: string, path: RegExp): Promise<void> {
  while (!pathsIn(dir).some((it) => path.test(it))) await pause(20);
}

function pathsIn(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' });
  } catch {
    return []; // A folder was removed while it was read.
  }
}

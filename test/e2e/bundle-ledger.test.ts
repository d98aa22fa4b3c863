/** An auditor with a stick: the ledger of a hub as files, checked by the commands that LEDGER.md prints. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectAsync } from 'mqtt';

import { eventually } from '../support/hubs/api.ts';
import { heliograph, type RunningHub, startHub } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { ROOT } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

// Without an uplink the journal waits for no receipt.
const SETS = ['uplink.url=mqtt://127.0.0.1:9'];

/** Publishes, and waits until the ledger has them; the checkpoint. */
async function publish(hub: RunningHub, from: number, to: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`);
  const numbers = Array.from({ length: to - from }, (_, index) => from + index);
  await Promise.all(numbers.map((n) => client.publishAsync('meters/1', `{"n":${n}}`, { qos: 1 })));
  await client.endAsync();
  await eventually(
    async () => (await fetch(`${hub.httpUrl}log/checkpoint`)).text(),
    (note) => note.split('\n')[1] === String(to),
  );
}

async function exported(
  hub: RunningHub,
  stick: string,
): Promise<{ code: unknown; said: string; files: number }> {
  const options = ['--ledger', join(stick, 'ledger'), '--url', hub.httpUrl, '--json'];
  const run = heliograph(['bundle', 'export', join(stick, 'all'), ...options]);
  const code = await run.exited;
  const said = run.lines.join('\n');
  const line = run.lines.find((it) => it.startsWith('{')) ?? '{}';
  return { code, said, files: (JSON.parse(line) as { ledgerFiles?: number }).ledgerFiles ?? 0 };
}

function auditOf(dir: string): string {
  const text = readFileSync(join(ROOT, 'src/ledger/LEDGER.md'), 'utf8');
  const chapter = text.slice(text.search(/^### 3\.1 /m));
  const [, commands = ''] = /```sh\n([\s\S]*?)\n```/.exec(chapter) ?? [];
  const { stdout, stderr } = spawnSync('sh', ['-e', '-c', commands], {
    cwd: dir,
    encoding: 'utf8',
  });
  return `${stdout}${stderr}`;
}

testWithPeers(
  'the whole history goes onto a stick, and later what is new',
  ['python3'],
  async () => {
    const [data, image, stick] = [tempDir(), tempDir(), tempDir()];
    const dir = join(stick, 'ledger/telemetry');
    const first = await startHub({ data, sets: SETS });
    await publish(first, 0, 300);
    assert.equal((await exported(first, stick)).code, 0);
    assert.equal(auditOf(dir), '300 leaves under this root\n');
    assert.equal(auditOf(join(stick, 'ledger/alarm')), '0 leaves under this root\n');
    await first.process.stop();
    cpSync(data, image, { recursive: true });

    const full = join(dir, 'tile/0/000');
    const { ino } = statSync(full);
    const second = await startHub({ data, sets: SETS });
    await publish(second, 300, 700);
    assert.equal((await exported(second, stick)).code, 0);
    assert.equal(auditOf(dir), '700 leaves under this root\n');
    assert.equal(statSync(full).ino, ino, 'a full tile that is there is not written again');
    await second.process.stop();

    // What was changed shows.
    const tile = readFileSync(full);
    writeFileSync(
      full,
      tile.map((byte, at) => (at === 77 ? byte ^ 1 : byte)),
    );
    assert.equal(auditOf(dir), '700 leaves NOT under this root\n');
    writeFileSync(full, tile);

    // The old card again: its history is another one from 300 on, and the folder stays what it is.
    rmSync(data, { recursive: true });
    cpSync(image, data, { recursive: true });
    const third = await startHub({ data, sets: SETS });
    await publish(third, 300, 310);
    const short = await exported(third, stick);
    assert.equal(short.code, 1);
    assert.match(short.said, /310 ops of now do not go on from the 700/);
    await publish(third, 310, 720);
    const long = await exported(third, stick);
    assert.equal(long.code, 1);
    assert.match(long.said, /720 ops of now do not go on from the 700/);
    assert.equal(auditOf(dir), '700 leaves under this root\n');

    const other = await startHub({ data: tempDir(), sets: SETS });
    const foreign = await exported(other, stick);
    assert.equal(foreign.code, 1);
    assert.match(foreign.said, /is of another hub/);
  },
);

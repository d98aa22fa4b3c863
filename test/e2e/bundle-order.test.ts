/** What lies on a stick: all that was acknowledged; and whatever its order after many hands, the region takes it at once. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import type { BatchId } from '../../src/batch/batch-id.ts';
import {
  type CarriedMessage,
  encodeBundle,
  joinBundle,
  parsePart,
} from '../../src/batch/bundle.ts';
import { encodeChunk } from '../../src/batch/wire/chunks.ts';
import { encodeHello, READABLE } from '../../src/batch/wire/messages.ts';
import { chunkTopic, helloTopic } from '../../src/batch/wire/topics.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import { batchOf, HUB, HUB_ID, SITE, stampedOps } from '../support/made/batches.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const ADDRESS = { site: SITE, hub: HUB_ID };

interface Taken {
  readonly stored: number;
  readonly refused: readonly { readonly batch: string; readonly reason: string }[];
  readonly passedOver: number;
  readonly receipts: readonly string[];
}

/** A batch on a stick, its chunk before the greeting of its hub. */
async function stickWith(dir: string): Promise<{ path: string; id: BatchId }> {
  const { id, bytes } = await batchOf(stampedOps(1, 60));
  const layout = { total: 1, batchBytes: bytes.length };
  const about = { site: SITE, nonce: new Uint8Array(8), software: 'test', spooled: [id] };
  const messages: readonly CarriedMessage[] = [
    { topic: chunkTopic(ADDRESS, id, 0), payload: encodeChunk(bytes, layout, 0) },
    { topic: helloTopic(ADDRESS), payload: encodeHello({ ...about, ...READABLE }, HUB) },
  ];
  const [file = new Uint8Array()] = encodeBundle(messages);
  const path = join(dir, 'mixed.bundle');
  writeFileSync(path, file);
  return { path, id };
}

async function imported(path: string, data: string): Promise<{ code: unknown; taken: Taken }> {
  const run = heliograph(['bundle', 'import', path, '--regional', '--data', data, '--json']);
  const taken = JSON.parse(await run.line(/^\{/)) as Taken;
  return { code: await run.exited, taken };
}

test('chunks that lie before the greeting of their hub are taken with it', async () => {
  const data = tempDir();
  await startRegional({ data });
  const { path, id } = await stickWith(tempDir());
  const { code, taken } = await imported(path, data);
  const { receipts, ...counts } = taken;
  assert.deepEqual(counts, { stored: 1, refused: [], passedOver: 0 });
  assert.equal(code, 0);
  const part = parsePart(readFileSync(receipts[0] ?? ''));
  assert.ok(part.kind === 'part');
  const answers = joinBundle([part.part]);
  assert.ok(answers.kind === 'bundle');
  assert.ok([...answers.messages].some(({ topic }) => topic.endsWith(`/receipt/${id}`)));
});

test('what the region refuses is not told as stored', async () => {
  const data = tempDir();
  await startRegional({ data, sets: ['regional.accept_jurisdictions=["TZ"]'] });
  const { path, id } = await stickWith(tempDir());
  const { code, taken } = await imported(path, data);
  assert.equal(taken.stored, 0);
  assert.deepEqual(taken.refused, [{ batch: id, reason: 'jurisdiction not accepted' }]);
  assert.equal(code, 1);
  const said = heliograph(['bundle', 'import', path, '--regional', '--data', data]);
  assert.equal(await said.exited, 1);
  assert.ok(said.lines.includes(`Refused: batch ${id}, jurisdiction not accepted`));
});

test('what was acknowledged a moment ago goes along', async () => {
  const stick = tempDir();
  const hub = await startHub({ data: tempDir(), sets: ['uplink.url=mqtt://127.0.0.1:9'] });
  const client = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`);
  const body = 'x'.repeat(4_000);
  for (let round = 1; round <= 3; round++) {
    const sent = Array.from({ length: 200 }, () => client.publishAsync('m/1', body, { qos: 1 }));
    await Promise.all(sent);
    // By the API itself, since a program takes a second to start.
    let handed: { isAll: boolean; batches: { ops: number }[] };
    do {
      const answer = await fetch(`${hub.httpUrl}api/v1/bundle`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ to: stick }),
      });
      handed = (await answer.json()) as typeof handed;
    } while (!handed.isAll);
    const ops = handed.batches.reduce((sum, batch) => sum + batch.ops, 0);
    assert.ok(ops >= 200 * round, `${ops} of ${200 * round}`);
  }
  await client.endAsync();
});

test('what has no room on the stick with the rest is told', async () => {
  const stick = tempDir();
  const sets = ['uplink.url=mqtt://127.0.0.1:9', 'uplink.spool_mib_max=1'];
  const hub = await startHub({ data: tempDir(), sets });
  const client = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`);
  const random = new SeededRandom(1);
  // 10 MB: no batch that begins within the MiB has them all.
  for (let round = 0; round < 10; round++) {
    const bodies = Array.from({ length: 20 }, () => Buffer.from(random.bytes(50_000)));
    await Promise.all(bodies.map((body) => client.publishAsync('m/1', body, { qos: 1 })));
  }
  await client.endAsync();
  const path = join(stick, 'some');
  const run = heliograph(['bundle', 'export', path, '--url', hub.httpUrl, '--json']);
  const { ops, left } = JSON.parse(await run.line(/^\{/)) as { ops: number; left: number };
  assert.equal(await run.exited, 0);
  assert.ok(left > 0 && ops < 200 && ops + left >= 200, `${ops} there, ${left} left`);
  const said = heliograph(['bundle', 'export', path, '--url', hub.httpUrl]);
  await said.exited;
  assert.match(said.lines.join('\n'), /^Left: \d+ ops, .*uplink\.spool_mib_max/m);
});

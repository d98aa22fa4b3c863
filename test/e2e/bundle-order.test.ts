/** What lies on a stick: all that was acknowledged; and whatever its order after many hands, the region takes it at once. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import {
  type CarriedMessage,
  encodeBundle,
  joinBundle,
  parsePart,
} from '../../src/batch/bundle.ts';
import { encodeChunk } from '../../src/batch/wire/chunks.ts';
import { encodeHello, READABLE } from '../../src/batch/wire/messages.ts';
import { chunkTopic, helloTopic } from '../../src/batch/wire/topics.ts';
import { batchOf, HUB, HUB_ID, SITE, stampedOps } from '../support/made/batches.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

test('chunks that lie before the greeting of their hub are taken with it', async () => {
  const [data, stick] = [tempDir(), tempDir()];
  await startRegional({ data });
  const address = { site: SITE, hub: HUB_ID };
  const { id, bytes, manifest } = await batchOf(stampedOps(1, 60));
  const layout = { total: 1, batchBytes: bytes.length };
  const hello = {
    site: SITE,
    nonce: new Uint8Array(8),
    software: 'test',
    ...READABLE,
    spooled: [id],
  };
  const messages: readonly CarriedMessage[] = [
    { topic: chunkTopic(address, id, 0), payload: encodeChunk(bytes, layout, 0) },
    { topic: helloTopic(address), payload: encodeHello(hello, HUB) },
  ];
  const [file = new Uint8Array()] = encodeBundle(messages);
  writeFileSync(join(stick, 'mixed.bundle'), file);
  const path = join(stick, 'mixed.bundle');
  const run = heliograph(['bundle', 'import', path, '--regional', '--data', data, '--json']);
  const line = await run.line(/^\{/);
  assert.equal(await run.exited, 0);
  const { stored, passedOver, receipts } = JSON.parse(line) as {
    stored: number;
    passedOver: number;
    receipts: string[];
  };
  assert.deepEqual({ stored, passedOver }, { stored: 1, passedOver: 0 });
  const part = parsePart(readFileSync(receipts[0] ?? ''));
  assert.ok(part.kind === 'part');
  const answers = joinBundle([part.part]);
  assert.ok(answers.kind === 'bundle');
  assert.ok(answers.messages.some(({ topic }) => topic.endsWith(`/receipt/${id}`)));
  assert.equal(manifest.ops, 60);
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

/**
 * A hub writes what the region of this session says it reads: columns, or rows where it names no columns; compressed, or not
 * where it does not name brotli.
 */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import type { BatchId } from '../../../src/batch/batch-id.ts';
import { parseChunk } from '../../../src/batch/wire/chunks.ts';
import { type Compression, KNOWN_COMPRESSIONS } from '../../../src/batch/compression.ts';
import type { Manifest } from '../../../src/batch/manifest.ts';
import { encodeDownHello, parseHello } from '../../../src/batch/wire/messages.ts';
import { openBatch } from '../../../src/batch/open-batch.ts';
import type { Encoding } from '../../../src/batch/payload.ts';
import {
  downHelloTopic,
  type HubAddress,
  parseUpstreamTopic,
  UPSTREAM_FILTERS,
} from '../../../src/batch/wire/topics.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import type { MqttSession } from '../../../src/platform/network/mqtt-client.ts';
import { HUB, HUB_ID, OPENING, REGION, SITE, stampedOps } from '../../support/made/batches.ts';
import { UplinkWorld } from '../../support/simulated/uplink-world.ts';

/** A region that greets, says what it reads, and keeps the one chunk that comes. */
async function manifestFor(
  encodings: readonly Encoding[],
  compressions: readonly Compression[] = ['none', 'brotli'],
): Promise<Manifest> {
  const it = new UplinkWorld();
  const chunks: { id: BatchId; message: Uint8Array }[] = [];
  const answer = (session: MqttSession, address: HubAddress, payload: Uint8Array): void => {
    const hello = parseHello(payload, verifyEd25519);
    assert.ok(hello);
    assert.deepEqual(hello.encodings, ['rows', 'columns']);
    assert.deepEqual(hello.compressions, KNOWN_COMPRESSIONS);
    const readable = { formats: [1], compressions, encodings };
    const greeting = { hub: HUB_ID, nonce: hello.nonce, software: 'old', ...readable };
    void session.publish(downHelloTopic(address), encodeDownHello(greeting, REGION), { qos: 1 });
  };
  const options = {
    url: 'mqtt://sim',
    clientId: 'region',
    keepaliveS: 60,
    connectTimeoutMs: 1_000,
  };
  const handlers = {
    onMessage: (topic: string, payload: Uint8Array) => {
      const parsed = parseUpstreamTopic(topic);
      if (parsed?.kind === 'hello') answer(session, parsed.address, payload);
      if (parsed?.kind === 'chunk') chunks.push({ id: parsed.batch, message: payload });
    },
    onClose: () => undefined,
  };
  const session = await it.until(it.broker.client().connect(options, handlers));
  await it.until(session.subscribe(UPSTREAM_FILTERS));
  it.journal.append(...stampedOps(1, 30));
  it.startHub();
  await it.clock.advance(10_000);
  const [first] = chunks;
  assert.ok(first);
  const parsed = parseChunk(first.message);
  assert.ok(parsed.kind === 'chunk' && parsed.chunk.total === 1);
  const expected = { id: first.id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
  const outcome = await openBatch(parsed.chunk.data, expected, OPENING);
  assert.ok(outcome.kind === 'batch');
  assert.equal(outcome.entries.length, 30);
  await it.stop();
  return outcome.manifest;
}

test('columns for a region that reads them', async () => {
  const { encoding } = await manifestFor(['rows', 'columns']);
  assert.equal(encoding, 'columns');
});

test('rows for one that does not', async () => {
  assert.equal((await manifestFor(['rows'])).encoding, 'rows');
  assert.equal((await manifestFor([])).encoding, 'rows');
});

test('compressed for a region that reads brotli, as it is for one that does not', async () => {
  assert.equal((await manifestFor(['rows'])).compression, 'brotli');
  const { compression, payloadBytes, rawBytes } = await manifestFor(['rows'], ['none']);
  assert.deepEqual([compression, payloadBytes], ['none', rawBytes]);
  assert.equal((await manifestFor(['rows'], [])).compression, 'none');
});

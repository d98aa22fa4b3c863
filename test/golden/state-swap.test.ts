/** How a state passes from hub to hub, in messages and in the journal (PEERS.md §6), byte for byte. The file is never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { test } from 'vitest';

import { bytesOfHex, hexOf, utf8 } from '../../src/base/bytes.ts';
import { CborWriter } from '../../src/codec/writer.ts';
import { encodeStateEntry, stateItemsIn } from '../../src/merge/state/state-entry.ts';
import { type StateItem, writeStateItem } from '../../src/merge/state/state-item.ts';
import { RECORD, TELEMETRY } from '../../src/model/class.ts';
import { decodeEntry } from '../../src/model/entry.ts';
import { encodeHeldEntry, heldIn } from '../../src/model/held.ts';
import { laneOf, type Origin } from '../../src/model/origin.ts';
import {
  encodePeerMessage,
  type PeerMessage,
  readPeerMessage,
} from '../../src/sync/peers/peer-message.ts';

const golden = JSON.parse(
  readFileSync(new URL('state-swap-1.json', import.meta.url), 'utf8'),
) as Record<'offer' | 'ask' | 'part' | 'state' | 'held', string>;
const DEVICE = 'aaaaaaaaaaaaaaaa' as Origin;
const MANIFEST = Uint8Array.of(1, 2, 3);

const MESSAGES: readonly PeerMessage[] = [
  { kind: 'offer', manifest: MANIFEST, bytes: 70_000 },
  { kind: 'ask', offset: 65_536 },
  { kind: 'part', offset: 65_536, bytes: Uint8Array.of(4, 5) },
];

test.each(MESSAGES)('message: $kind', (message) => {
  const hex = golden[message.kind as 'offer'];
  assert.equal(hexOf(encodePeerMessage(message)), hex);
  assert.deepEqual(readPeerMessage(bytesOfHex(hex) as Uint8Array), message);
});

function bodyOf(hex: string): Uint8Array {
  const entry = decodeEntry(bytesOfHex(hex) as Uint8Array);
  assert.ok(entry.type === 'local');
  return entry.body;
}

test('items of a state in the journal', () => {
  const order = { authority: 0, hlc: { ms: 5, counter: 1 }, origin: DEVICE, seq: 7, class: TELEMETRY } as const;
  const items: StateItem[] = [
    { type: 'hub', hub: DEVICE, hlc: { ms: 9, counter: 0 } },
    { type: 'event', key: 'm/1', write: { order, body: utf8('21.5') } },
  ];
  const writer = new CborWriter(64);
  for (const item of items) writeStateItem(writer, item);
  assert.equal(hexOf(encodeStateEntry(writer.finish())), golden.state);
  assert.deepEqual(stateItemsIn(bodyOf(golden.state)), items);
  assert.equal(heldIn(bodyOf(golden.state)), undefined);
});

test('the word of which ops they stand for', () => {
  const lanes = [
    { lane: laneOf(DEVICE, RECORD), upTo: 5, beyond: [{ from: 8, to: 9 }] },
    { lane: laneOf(DEVICE, TELEMETRY), upTo: 0, beyond: [] },
  ];
  const held = { manifest: MANIFEST, lanes };
  assert.equal(hexOf(encodeHeldEntry(held)), golden.held);
  assert.deepEqual(heldIn(bodyOf(golden.held)), held);
  assert.deepEqual(stateItemsIn(bodyOf(golden.held)), []);
});

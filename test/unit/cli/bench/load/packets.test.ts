import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { concatBytes, hexOf } from '../../../../../src/base/bytes.ts';
import {
  CONNACK,
  connectPacket,
  type Frame,
  FrameScanner,
  PUBACK,
  PUBLISH,
  publishPackets,
  SUBACK,
  subscribePacket,
} from '../../../../../src/cli/bench/load/packets.ts';
import { fromHex } from '../../../../support/made/hex.ts';

test('packets are those of MQTT 3.1.1, byte for byte', () => {
  assert.equal(
    hexOf(connectPacket('ab', true)),
    hexOf(fromHex('100e 00044d515454 04 02 0000 00026162')),
  );
  assert.equal(
    hexOf(connectPacket('ab', false)),
    hexOf(fromHex('100e 00044d515454 04 00 0000 00026162')),
  );
  assert.equal(hexOf(subscribePacket(1, 'a/#', 1)), hexOf(fromHex('8208 0001 0003612f23 01')));
  assert.equal(
    hexOf(publishPackets('a', 2, 1, 2)),
    hexOf(fromHex('3207 000161 0001 7878  3207 000161 0002 7878')),
  );
  assert.equal(hexOf(publishPackets('a', 2, 0, 1)), hexOf(fromHex('3005 000161 7878')));
});

test('lengths of two bytes are written and read', () => {
  const packets = publishPackets('bench/1', 200, 1, 3);
  assert.equal(hexOf(packets.subarray(0, 3)), '32d301');
  assert.deepEqual(
    framesOf([packets]),
    [1, 2, 3].map((packetId) => ({ type: PUBLISH, qos: 1, packetId })),
  );
});

test('frames are found however the stream is cut', () => {
  const stream = concatBytes([
    fromHex('20020000'),
    fromHex('9003000101'),
    publishPackets('bench/20', 300, 1, 2),
    publishPackets('bench/20', 5, 0, 1),
    fromHex('40020102'),
  ]);
  const expected: Frame[] = [
    { type: CONNACK, qos: 0, packetId: 0 },
    { type: SUBACK, qos: 0, packetId: 0 },
    { type: PUBLISH, qos: 1, packetId: 1 },
    { type: PUBLISH, qos: 1, packetId: 2 },
    { type: PUBLISH, qos: 0, packetId: 0 },
    { type: PUBACK, qos: 0, packetId: 0 },
  ];
  const anyCuts = fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 30 });
  fc.assert(
    fc.property(anyCuts, (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const parts = places.slice(1).map((place, index) => stream.slice(places[index], place));
      assert.deepEqual(framesOf(parts), expected);
    }),
  );
});

function framesOf(parts: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  const scanner = new FrameScanner();
  for (const part of parts) scanner.feed(part, (frame) => frames.push(frame));
  return frames;
}

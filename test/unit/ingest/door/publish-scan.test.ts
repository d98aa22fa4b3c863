import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { localBody, PublishScan } from '../../../../src/ingest/door/publish-scan.ts';
import { encodeLocalEntry } from '../../../../src/model/entry.ts';
import type { Origin } from '../../../../src/model/origin.ts';
import { openDoor, publish } from '../../../support/memory/doors.ts';
import { HUB } from '../../../support/made/ops.ts';

const scanned = (entry: Uint8Array, hub: Origin = HUB): Record<string, unknown> | undefined => {
  const found = new PublishScan(hub).read(entry);
  if (found === undefined) return undefined;
  const { topic, payload, ...rest } = found;
  return { topic: Buffer.from(topic).toString(), bytes: payload.length, ...rest };
};

const PLAIN = { qos: 1, retain: false, clientId: '', packetId: 0 };

test('publishes are found as the door has journaled them, whatever their length', () => {
  const { door, journal } = openDoor();
  for (const length of [0, 23, 24, 300, 70_000]) {
    const topic = `m/${'x'.repeat(length % 400)}`;
    door.admit(publish({ topic, payload: new Uint8Array(length) }));
    const entry = journal.entries.at(-1) as Uint8Array;
    assert.deepEqual(scanned(entry), { topic, bytes: length, ...PLAIN });
  }
});

test('QoS 2 and RETAIN come with who sent them', () => {
  const { door, journal } = openDoor();
  door.admit(publish({ qos: 2, packetId: 300, retain: true, clientId: 'über' }));
  const delivery = { qos: 2, retain: true, clientId: 'über', packetId: 300 };
  assert.deepEqual(scanned(journal.entries[0] as Uint8Array), {
    topic: 'meters/1',
    bytes: 4,
    ...delivery,
  });
});

test('what is no publish of this hub is passed over', () => {
  const { door, journal } = openDoor();
  door.admit(publish());
  door.journalOwn({ class: 6, key: 'log/power', body: utf8('line') });
  const [ours, line] = journal.entries as [Uint8Array, Uint8Array];
  assert.equal(scanned(ours, '2222222222222222' as Origin), undefined);
  assert.equal(scanned(line), undefined);
  const local = encodeLocalEntry(Uint8Array.of(0x81, 0x05));
  assert.equal(scanned(local), undefined);
  assert.deepEqual(localBody(local), Uint8Array.of(0x81, 0x05));
  assert.equal(localBody(ours), undefined);
});

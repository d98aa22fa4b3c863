import assert from 'node:assert/strict';
import { test } from 'vitest';

import { decodeRecord, encodeRecord } from '../../../../src/broker/sessions/session-records.ts';
import {
  decodeSessionsFile,
  encodeSessionsFile,
} from '../../../../src/broker/sessions/sessions-file.ts';

const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const LANE = [
  [7, 3],
  [8, 1],
  [70_000, 0],
  [2 ** 45, 2],
] as const;
const FILE = {
  lsn: 70_001,
  sessions: [
    {
      clientId: 'pump',
      name: 'ann',
      role: 'technician',
      awayMs: 90_000,
      filters: [{ filter: 'm/#', qos: 1 }],
      received: [[7, 69_999]],
      base: 12,
      sent: 14,
      isOnline: false,
      lane: LANE,
    },
  ],
  retained: [{ topic: utf8('m/a'), payload: utf8('21'), qos: 1, lsn: 3 }],
} as const;

test('the file has the bytes of SESSIONS.md and is read again', () => {
  const bytes = encodeSessionsFile(FILE);
  const hex = Buffer.from(bytes).toString('hex');
  assert.ok(hex.startsWith('857368656c696f67726170682073657373696f6e73011a00011171'));
  assert.ok(hex.includes('1f05a08b11'), 'steps of 7, 1 and 69,992 with states 3, 1 and 0');
  const { sessions, ...rest } = decodeSessionsFile(bytes);
  const [session] = sessions;
  assert.ok(session);
  assert.deepEqual({ ...session, lane: [...session.lane] }, FILE.sessions[0]);
  assert.deepEqual(rest, { lsn: FILE.lsn, retained: FILE.retained });
});

test('a file of which any bit is another is not believed', () => {
  const bytes = encodeSessionsFile(FILE);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
    assert.throws(() => decodeSessionsFile(damaged), { code: 'sessions.damaged' });
  }
  assert.throws(() => decodeSessionsFile(bytes.subarray(0, 10)), { code: 'sessions.damaged' });
});

const clientId = 'pump';
const records = [
  [
    { kind: 'opened', clientId, name: 'ann', role: 'device' },
    '85 67 73657373696f6e 00 64 70756d70 63 616e6e 00',
  ],
  [{ kind: 'ended', clientId }, '83 67 73657373696f6e 01 64 70756d70'],
  [
    { kind: 'subscribed', clientId, filters: [{ filter: 'm', qos: 2 }] },
    '84 67 73657373696f6e 02 64 70756d70 81 82 61 6d 02',
  ],
  [
    { kind: 'unsubscribed', clientId, filters: ['m'] },
    '84 67 73657373696f6e 03 64 70756d70 81 61 6d',
  ],
  [{ kind: 'received', clientId, sequence: 5 }, '84 67 73657373696f6e 04 64 70756d70 05'],
  [
    { kind: 'progress', clientId, progress: { base: 5, sent: 7, isOnline: true } },
    '86 67 73657373696f6e 05 64 70756d70 05 07 f5',
  ],
  [{ kind: 'released', clientId, packetId: 300 }, '84 67 73657373696f6e 06 64 70756d70 19012c'],
  [
    {
      kind: 'message',
      publish: {
        clientId,
        packetId: 1,
        qos: 2,
        retain: true,
        topic: utf8('m'),
        payload: utf8('x'),
      },
    },
    '87 67 73657373696f6e 07 64 70756d70 01 06 41 6d 41 78',
  ],
] as const;

for (const [record, hex] of records) {
  test(`record "${record.kind}" has the bytes of SESSIONS.md`, () => {
    const bytes = encodeRecord(record as Parameters<typeof encodeRecord>[0]);
    assert.equal(Buffer.from(bytes).toString('hex'), hex.replaceAll(' ', ''));
    assert.deepEqual(decodeRecord(bytes), record);
  });
}

test('local entries of others are not the broker’s', () => {
  for (const hex of ['a0', '05', '83687072', '8170', '836870726f677265737348']) {
    assert.equal(decodeRecord(new Uint8Array(Buffer.from(hex, 'hex'))), undefined);
  }
});

/** A region that takes nothing for a while says so, and the hub obeys, says so in its log, and goes on afterwards. */
import assert from 'node:assert/strict';

import { describe, onTestFinished, test } from 'vitest';

import { ChunkBitmap } from '../../../../src/batch/wire/chunks.ts';
import type { BatchId } from '../../../../src/batch/batch-id.ts';
import {
  encodeDownHello,
  encodeHave,
  parseDownHello,
  parseHave,
} from '../../../../src/batch/wire/messages.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { verifyEd25519 } from '../../../../src/keys/identity.ts';
import { ALARM, COMMAND, type OpClass, TELEMETRY } from '../../../../src/model/class.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { OVERLOAD_PIECES, Pressure } from '../../../../src/regional/pressure/pressure.ts';
import { RegionWait } from '../../../../src/uplink/session/region-wait.ts';
import { HUB_ID, REGION, stampedOp, START_MS } from '../../../support/made/batches.ts';
import { UplinkWorld } from '../../../support/simulated/uplink-world.ts';

const HOUR_MS = 3_600_000;
const BODY_BYTES = 8_000;

async function withQuota(): Promise<UplinkWorld> {
  const it = new UplinkWorld({
    regional: { hubMibPerDay: 0.25 },
    uplink: { replyMsMax: 3_000, pauseMsMin: 500, pauseMsMax: 1_000 },
  });
  onTestFinished(() => it.stop());
  await it.startRegion();
  it.startHub();
  return it;
}

test('a quota that is spent ends the session, and no other is opened until it begins anew', async () => {
  const it = await withQuota();
  for (let seq = 1; seq <= 100; seq++) {
    it.journal.append(stampedOp(seq, { body: it.random.bytes(BODY_BYTES) }));
  }
  await it.clock.advance(60_000);
  const sessions = (): number =>
    it.syncLines.filter(({ event }) => event === 'session.open').length;
  const before = sessions();
  assert.ok(it.store.ops.size < 100);
  const close = it.syncLines.findLast(({ event }) => event === 'session.close');
  assert.match(close?.why ?? '', /the region asks to wait \d+ s: the quota of the day is spent/);
  assert.deepEqual(
    it.uplink?.status().faults.map(({ code }) => code),
    ['uplink.held-off'],
  );
  await it.clock.advance(3 * HOUR_MS); // Midnight is in three and a half.
  assert.equal(sessions(), before, 'it saves the energy of asking');
  await it.clock.advance(96 * HOUR_MS);
  assert.equal(it.store.ops.size, 100, 'a part each day, and nothing is lost');
  assert.ok(sessions() - before < 30);
  assert.deepEqual(it.uplink?.status().faults, []);
  assert.deepEqual(it.fatal, []);
});

test('alarms and commands go on when the quota is spent, while a reserve lasts', async () => {
  const it = await withQuota();
  const say = (seq: number, opClass: OpClass, bytes: number): unknown =>
    it.journal.append(stampedOp(seq, { class: opClass, body: it.random.bytes(bytes) }));
  for (let seq = 1; seq <= 100; seq++) say(seq, TELEMETRY, BODY_BYTES);
  await it.clock.advance(60_000);
  const before = it.store.ops.size;
  assert.ok(before < 100);
  for (let seq = 1; seq <= 3; seq++) {
    say(seq, ALARM, 200);
    say(seq, COMMAND, 200);
    await it.clock.advance(60_000);
    assert.equal(
      it.store.ops.size,
      before + 2 * seq,
      'within a minute, and nothing else with them',
    );
  }
  assert.equal(it.uplink?.status().faults[0]?.code, 'uplink.held-off');
  // The reserve has an end, too.
  for (let seq = 4; seq <= 80; seq++) say(seq, ALARM, BODY_BYTES);
  await it.clock.advance(600_000);
  assert.ok(it.store.ops.size < before + 6 + 77);
  await it.clock.advance(240 * HOUR_MS);
  assert.equal(it.store.ops.size, 100 + 3 + 80, 'and nothing is lost');
  assert.deepEqual(it.fatal, []);
});

describe('what is said', () => {
  const wait = { seconds: 90, why: 'for a test' };
  const abilities = { software: 'x', formats: [1], compressions: [], encodings: [] } as const;

  test('in the greeting and in a have, under the signature', () => {
    const greeting = { hub: HUB_ID, nonce: new Uint8Array(8), ...abilities };
    const hello = parseDownHello(encodeDownHello({ ...greeting, wait }, REGION), verifyEd25519);
    assert.deepEqual(hello?.wait, wait);
    const but = { ...wait, takes: [ALARM, COMMAND] as const };
    const partly = parseDownHello(
      encodeDownHello({ ...greeting, wait: but }, REGION),
      verifyEd25519,
    );
    assert.deepEqual(partly?.wait, but);
    const plain = parseDownHello(encodeDownHello(greeting, REGION), verifyEd25519);
    assert.ok(plain !== undefined && !('wait' in plain));
    const batch = '00112233445566778899aabbccddeeff' as BatchId;
    const bytes = encodeHave({ hub: HUB_ID, batch, chunks: new ChunkBitmap(3), wait }, REGION);
    assert.deepEqual(parseHave(bytes, REGION.publicKey, verifyEd25519)?.wait, wait);
  });

  test('a hub obeys for some hours at most', async () => {
    const clock = new SimClock(START_MS);
    const asked = new RegionWait(clock);
    assert.equal(asked.waitWhy, undefined);
    asked.heed({ wait: { seconds: 10 * 86_400, why: 'forever' } });
    await clock.advance(6 * HOUR_MS - 1);
    assert.match(asked.waitWhy ?? '', /wait 21600 s: forever/);
    await clock.advance(1);
    assert.deepEqual([asked.waitWhy, asked.fault], [undefined, undefined]);
  });

  test('of too much work at once, spread over a while', () => {
    const queue = { waiting: 0 };
    const clock = new SimClock(START_MS);
    const pressure = new Pressure({
      queue,
      clock,
      random: new SeededRandom(1),
      log: SILENT_LOG,
      signer: REGION,
    });
    assert.equal(pressure.wait, undefined);
    queue.waiting = OVERLOAD_PIECES;
    const seconds = Array.from({ length: 50 }, () => pressure.wait?.seconds ?? 0);
    assert.ok(seconds.every((it) => it >= 10 && it < 40) && new Set(seconds).size > 10);
  });
});

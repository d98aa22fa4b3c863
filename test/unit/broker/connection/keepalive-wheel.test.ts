import assert from 'node:assert/strict';
import { test } from 'vitest';

import { KeepaliveWheel, type Watched } from '../../../../src/broker/connection/keepalive-wheel.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';

interface Client extends Watched {
  isExcused: boolean;
  silentAtMs: number | undefined;
}

function clientOf(clock: SimClock, silenceSMax: number): Client {
  const client: Client = {
    heardTick: 0,
    silenceSMax,
    isExcused: false,
    silentAtMs: undefined,
    onSilence: () => {
      client.silentAtMs = clock.monotonicMs();
    },
  };
  return client;
}

test('silence is found after the allowance, never before, at most two seconds late', async () => {
  const clock = new SimClock(0);
  const wheel = new KeepaliveWheel(clock);
  const clients: { client: Client; startMs: number }[] = [];
  for (const silenceSMax of [1, 2, 15, 90, 127, 128, 129, 300, 1000]) {
    await clock.advance(137);
    const client = clientOf(clock, silenceSMax);
    wheel.watch(client);
    clients.push({ client, startMs: clock.monotonicMs() });
  }
  await clock.advance(1_200_000);
  for (const { client, startMs } of clients) {
    const afterMs = (client.silentAtMs ?? Infinity) - startMs;
    const allowedMs = client.silenceSMax * 1000;
    assert.ok(afterMs >= allowedMs && afterMs <= allowedMs + 2000, `${allowedMs}: ${afterMs}`);
  }
});

test('who is heard, excused or forgotten is not reported; who is reported is not watched any more', async () => {
  const clock = new SimClock(0);
  const wheel = new KeepaliveWheel(clock);
  const [heard, excused, forgotten, silent] = [1, 2, 3, 4].map(() => clientOf(clock, 5)) as [
    Client,
    Client,
    Client,
    Client,
  ];
  for (const client of [heard, excused, forgotten, silent]) wheel.watch(client);
  excused.isExcused = true;
  wheel.forget(forgotten);
  for (let i = 0; i < 20; i++) {
    await clock.advance(4_000);
    heard.heardTick = wheel.tick;
  }
  assert.deepEqual(
    [heard, excused, forgotten].map(({ silentAtMs }) => silentAtMs),
    [undefined, undefined, undefined],
  );
  assert.ok((silent.silentAtMs ?? Infinity) <= 7_000);
  excused.isExcused = false;
  await clock.advance(7_000);
  assert.notEqual(excused.silentAtMs, undefined);
});

test('a closed wheel turns no more', async () => {
  const clock = new SimClock(0);
  const wheel = new KeepaliveWheel(clock);
  const client = clientOf(clock, 1);
  wheel.watch(client);
  wheel.close();
  await clock.advance(10_000);
  assert.equal(client.silentAtMs, undefined);
  assert.equal(clock.nextDueMs(), undefined);
});

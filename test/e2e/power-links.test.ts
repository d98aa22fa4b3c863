/**
 * What the power brain says of links: how often a way that does not answer is tried, what goes to other hubs of the
 * site, and what a month's bytes cover. Each by the wire alone: connections, readings at the other hub, the sync log.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished, test } from 'vitest';

import { openHub } from '../../src/hub/hub.ts';
import type { PowerState } from '../../src/power/govern/decision.ts';
import { eventually, getJson, readingsOf, type StatusView, uplinked } from '../support/hubs/api.ts';
import { configFor, machine } from '../support/hubs/data-dir.ts';
import { type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { MeteredHub, SPEED } from '../support/hubs/metered-hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const CAPTURE =
  'capture=[{filter="alarms/#",class="alarm",keep="all"},{filter="meters/#",class="telemetry",keep="all"},{filter="files/#",class="bulk",keep="all"}]';

interface Try {
  /** By the site's time. */
  readonly atS: number;
  readonly state: PowerState | undefined;
}

/** A region that hangs up on everybody, and when somebody came, in which state. */
async function deadRegion(
  speed: number,
  state: () => PowerState | undefined,
): Promise<{ readonly url: string; readonly tries: readonly Try[] }> {
  const tries: Try[] = [];
  const server = createServer((socket) => {
    tries.push({ atS: (performance.now() / 1_000) * speed, state: state() });
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { url: `mqtt://127.0.0.1:${address.port}`, tries };
}

/** Seconds between tries of which both were made in the state: what a machine that stalls makes unknown does not count. */
function pausesIn(state: PowerState, tries: readonly Try[]): number[] {
  return tries.slice(1).flatMap((it, index) => {
    const before = tries[index] as Try;
    return before.state === state && it.state === state ? [it.atS - before.atS] : [];
  });
}

/** A normal battery tries every quarter of an hour, a quarter of that more where chance will have it. */
const NORMAL_PAUSE_S = 900 * 1.25;

test('a region that does not answer is tried the more seldom the emptier the battery is', async () => {
  const speed = 150;
  let hub: MeteredHub | undefined;
  const { url, tries } = await deadRegion(speed, () => hub?.state);
  const sets = [CAPTURE, `uplink.url="${url}"`, 'uplink.link="ethernet"'];
  hub = await MeteredHub.open(20, { sets, speed });
  onTestFinished(() => hub?.close());
  await hub.chargeIs(20, 'critical');
  await hub.publishMs('alarms/1');
  const pausesOf = (state: PowerState, holds: (pausesS: number[]) => boolean): Promise<number[]> =>
    eventually(() => Promise.resolve(pausesIn(state, tries)), holds);
  await pausesOf('critical', (them) => them.some((it) => it > 1.25 * NORMAL_PAUSE_S));
  await hub.chargeIs(70, 'normal');
  const pausesS = await pausesOf('normal', (them) => them.length >= 2);
  // A stall makes one of them longer, not all.
  assert.ok(Math.min(...pausesS) < 1.2 * NORMAL_PAUSE_S, `${pausesS.join(', ')} s`);
});

test('on a battery that is nearly empty alarms go to the other hub, and readings when it is well again', async () => {
  const other = await openHub(
    configFor(
      tempDir(),
      'broker.port=0',
      'http.port=0',
      'power.sources=["none"]',
      // An op from the future would count as made now: its time runs as fast.
      `power.time_speed=${SPEED}`,
      'peer.enabled=true',
      'peer.discover="off"',
    ),
    machine,
  );
  onTestFinished(() => other.close());
  const { mqtt = '', http = '' } = other.addresses;
  const peer = ['peer.enabled=true', 'peer.discover="off"', `peer.addresses=["${mqtt}"]`];
  const place = await MeteredHub.open(20, { sets: [CAPTURE, ...peer] });
  onTestFinished(() => place.close());
  await place.chargeIs(20, 'critical');
  await place.publishMs('meters/1');
  await place.publishMs('alarms/1');
  const thereIs = (key: string): Promise<unknown> =>
    eventually(
      () => readingsOf(http, key),
      (them) => them.size === 1,
    );
  await thereIs('alarms/1');
  assert.equal((await readingsOf(http, 'meters/1')).size, 0);
  await place.chargeIs(70, 'normal');
  await thereIs('meters/1');
});

test('an order of the region waits while there is no energy for it, and comes with the sun, once', async () => {
  const region = await startRegional({ data: tempDir() });
  const sets = [CAPTURE, `uplink.url="${region.mqttUrl}"`, 'uplink.link="ethernet"'];
  const place = await MeteredHub.open(70, { sets: [...sets, 'uplink.check_in_minutes=1'] });
  onTestFinished(() => place.close());
  await place.chargeIs(70, 'normal');
  await place.publishMs('alarms/1');
  await uplinked(place.url);
  await place.chargeIs(12, 'shutdown');
  const order = { site: 'demo', key: 'order/17', add: { sent: 1 } };
  const sent = await fetch(`${region.httpUrl}api/v1/send`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  });
  assert.equal(sent.status, 200, await sent.text());
  const record = (): Promise<Response> => fetch(`${place.url}api/v1/records/order%2F17`);
  // Five minutes of the site, in which it would have asked five times.
  await pause((300 / SPEED) * 1_000);
  assert.equal(place.state, 'shutdown');
  assert.equal((await record()).status, 404);
  await place.chargeIs(70, 'normal');
  const answer = await eventually(record, ({ status }) => status === 200);
  const { counters } = (await answer.json()) as { counters: object };
  assert.deepEqual(counters, { sent: 1 });
});

const FILE_BYTES = 300_000;

async function logs({ httpUrl }: RunningHub, words: string, since: string): Promise<void> {
  await eventually(
    async () => (await fetch(`${httpUrl}api/v1/log?since=${since}`)).text(),
    (log) => log.includes(words),
  );
}

interface UsedStatus {
  readonly uplink: { readonly state: string; readonly bytesToday: number };
  readonly energy: { readonly whToday: number; readonly whByClass: Record<string, number> };
}

async function idle({ httpUrl }: RunningHub): Promise<void> {
  await eventually(
    () => getJson<UsedStatus>(`${httpUrl}api/v1/status`),
    ({ uplink }) => uplink.state === 'idle',
  );
}

const NOT_COVERED = "the month's bytes on ethernet do not cover it";

test("what a month's bytes do not cover waits, through a restart, while alarms go; the day's figures outlive it", async () => {
  const region = await startRegional({ data: tempDir() });
  const data = tempDir();
  const sets = [
    CAPTURE,
    `uplink.url="${region.mqttUrl}"`,
    'uplink.link="ethernet"',
    'uplink.quota_mib.ethernet=1',
  ];
  const hub = await startHub({ data, sets });
  for (const name of ['files/1', 'files/2']) {
    await publishTo(hub.mqttUrl, name, randomBytes(FILE_BYTES));
    await uplinked(hub.httpUrl);
  }
  await publishTo(hub.mqttUrl, 'files/3', randomBytes(FILE_BYTES));
  await logs(hub, NOT_COVERED, '1970-01-01T00:00:00Z');
  await idle(hub);
  const before = await getJson<UsedStatus>(`${hub.httpUrl}api/v1/status`);
  hub.process.kill('SIGKILL');
  await hub.process.exited;

  const since = new Date().toISOString();
  const again = await startHub({ data, sets });
  const after = await getJson<UsedStatus>(`${again.httpUrl}api/v1/status`);
  assert.ok(before.energy.whByClass['bulk'] !== 0 && before.energy.whToday > 0);
  assert.deepEqual(after.energy, before.energy);
  assert.equal(after.uplink.bytesToday, before.uplink.bytesToday);
  await logs(again, NOT_COVERED, since);
  await publishTo(again.mqttUrl, 'alarms/1', Buffer.from('1'));
  await logs(again, 'alarm: the regional node has stored 1 op', since);
  const { backlog } = await getJson<StatusView>(`${again.httpUrl}api/v1/status`);
  assert.equal(backlog['bulk']?.ops, 1);
});

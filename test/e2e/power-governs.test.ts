/**
 * What the power brain says governs the whole hub: a meter tells it the charge over the hub's own broker, and what devices,
 * people and the card see of the hub changes with it. In this process, on real files and sockets, in fast site time.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';

import { eventually } from '../support/hubs/api.ts';
import { MeteredHub } from '../support/hubs/metered-hub.ts';
import { jpegOf } from '../support/made/pictures.ts';

const SCARCE_MS = 3_000;
const SETS = [
  `journal.linger_ms.scarce=${SCARCE_MS}`,
  'capture=[{filter="alarms/#",class="alarm",keep="all"},{filter="meters/#",class="telemetry",keep="all"}]',
];

/** One of several, since a busy machine may delay any of them by as much. */
async function quickly(place: MeteredHub, topic: string): Promise<void> {
  await eventually(
    () => place.publishMs(topic),
    (tookMs) => tookMs < 0.9 * SCARCE_MS,
  );
}

test('a scarce battery: devices report less often, readings wait for company, previews for the sun, and people may decide otherwise', async () => {
  const place = await MeteredHub.open(35, { sets: SETS });
  onTestFinished(() => place.close());
  const scarce = await place.chargeIs(35, 'saver');
  assert.equal(scarce.minIntervalS['telemetry'], 300);
  await quickly(place, 'alarms/1');
  await eventually(
    () => place.publishMs('meters/1'),
    (tookMs) => tookMs > 0.9 * SCARCE_MS,
  );

  const picture = jpegOf(400, 300, 90);
  const sha256 = createHash('sha256').update(picture).digest('hex');
  const photo = `${place.url}api/v1/assets/${sha256}`;
  const headers = { 'content-type': 'image/jpeg' };
  const put = await fetch(`${photo}?key=photo`, { method: 'PUT', headers, body: picture });
  assert.equal(put.status, 201, await put.text());
  const held = await fetch(`${photo}?width=320`);
  assert.deepEqual([held.status, /battery does not allow/.test(await held.text())], [503, true]);
  assert.equal(await place.hasPreview(), false);

  await place.override(5);
  await place.word(({ allowed }) => allowed.includes('bulk'));
  await place.word(({ allowed }) => !allowed.includes('bulk'));
  assert.match(await place.log(), /somebody on site/);

  const plenty = await place.chargeIs(70, 'normal');
  assert.equal(plenty.minIntervalS['telemetry'], 0);
  await quickly(place, 'meters/1');
  // Nobody asks for it: it is made because it may be.
  await eventually(
    () => place.hasPreview(),
    (has) => has,
  );
});

test('a battery that ends: all is brought to the card, the hub says when it is back, and serves as long as it lasts', async () => {
  const place = await MeteredHub.open(20, { sets: SETS });
  onTestFinished(() => place.close());
  const scarce = await place.chargeIs(20, 'critical');
  assert.equal(scarce.minIntervalS['telemetry'], 900);
  await place.publishMs('alarms/1');
  const snapshot = join(place.dir, 'state.snapshot');
  assert.ok(!existsSync(snapshot));
  const { allowed, readyToPowerOff } = await place.chargeIs(13, 'shutdown');
  assert.deepEqual([allowed, readyToPowerOff], [[], false]);
  await eventually(
    () => place.log(),
    (log) => log.includes('everything is on the card; back '),
  );
  assert.ok(existsSync(snapshot));
  await place.chargeIs(8, 'shutdown');
  await place.word((word) => word.readyToPowerOff);
  await eventually(
    () => place.log(),
    (log) => log.includes('the site may be switched off'),
  );
  await place.publishMs('alarms/1');
});

/**
 * What an idle hub costs upstream: the real program over a real line to a region, its day in fast motion. Counted is the
 * payload of TCP, both ways, of whatever the hub says without being given anything to say: it asks for orders about every hour,
 * and tells of its power as often as that changes.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { onTestFinished, test } from 'vitest';

import { CountingProxy } from '../../src/platform/network/counting-proxy.ts';
import { startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { WireMeter } from '../support/hubs/wire-meter.ts';

const DAY_BYTES_MAX = 50_000;
const HOURS = 24;
/** An hour in a second and a half: a session takes a tenth of that. */
const SPEED = 2_400;
const DAY_MS = 86_400_000;

test('an idle day of a real hub costs less than 50 KB upstream', async () => {
  const region = await startRegional({ data: tempDir() });
  const target = { host: '127.0.0.1', port: region.mqttPort };
  const wire = new WireMeter();
  const line = await CountingProxy.open({ target, meter: () => wire.connection() });
  onTestFinished(() => line.close());
  await startHub({
    data: tempDir(),
    sets: [
      `uplink.url=mqtt://127.0.0.1:${line.port}`,
      'uplink.link=ethernet',
      'power.sources=["simulated"]',
      'power.time_start=2026-06-01T06:00:00Z',
      `power.time_speed=${SPEED}`,
    ],
  });
  while (line.connections === 0) await sleep(50);
  const [bytesBefore, sessionsBefore] = [line.bytesUp + line.bytesDown, line.connections];
  await sleep(DAY_MS / SPEED);
  const bytes = line.bytesUp + line.bytesDown - bytesBefore;
  const asked = line.connections - sessionsBefore;
  console.log(`${bytes} bytes in ${asked} sessions`, wire.byKind());
  assert.ok(asked >= HOURS / 4 && asked <= 2 * HOURS, `${asked} sessions`);
  assert.ok(bytes <= DAY_BYTES_MAX, `${bytes} bytes in ${asked} sessions`);
});

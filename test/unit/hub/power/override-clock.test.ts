/** Sending by hand while the hub's clock is put right: it ends after its length of time, whatever the clock said. */
import assert from 'node:assert/strict';
import { onTestFinished, test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { loadConfig } from '../../../../src/config/config.ts';
import { HubPower } from '../../../../src/hub/power/power.ts';
import type { Machine } from '../../../../src/machine.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimDriverFiles } from '../../../../src/platform/sim/driver-files.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { SimSerialPorts } from '../../../../src/platform/sim/serial.ts';
import { EMPTY_BACKLOG } from '../../../../src/power/backlog.ts';

const MINUTE_MS = 60_000;
const TRUE_MS = Date.UTC(2026, 10, 27, 12);

function powerAt(clock: SimClock): HubPower {
  const outcome = loadConfig({ sets: ['power.sources=["none"]'] });
  assert.ok(outcome.kind === 'ok');
  const random = new SeededRandom(1);
  const files = new SimFiles({ random });
  files.makeDir('/power');
  const wires = { serial: new SimSerialPorts(clock), drivers: new SimDriverFiles() };
  const parts = { files, random, ...wires, clock, timers: clock };
  const power = HubPower.open({
    config: outcome.config,
    // Of the machine, power on mains takes nothing else.
    machine: parts as unknown as Machine,
    time: { clock, timers: clock },
    log: SILENT_LOG,
    dir: '/power',
    link: () => 'cellular',
    subscribe: () => () => undefined,
    backlog: () => EMPTY_BACKLOG,
    journalLine: () => undefined,
  });
  onTestFinished(() => power.close());
  return power;
}

test.each([
  ['in 1970', 0],
  ['in 2030', Date.UTC(2030, 0, 1)],
  ['an hour behind', TRUE_MS - 60 * MINUTE_MS],
])('begun with a clock %s', async (_, wrongMs) => {
  const clock = new SimClock(wrongMs, 'unknown');
  const { override } = powerAt(clock);
  await clock.advance(MINUTE_MS);
  override.begin(30 * MINUTE_MS, 'ana');
  assert.deepEqual(override.current(), { untilMs: wrongMs + 31 * MINUTE_MS, who: 'ana' });
  await clock.advance(10 * MINUTE_MS);
  clock.jumpWall(TRUE_MS, 'ntp');
  assert.deepEqual(override.current(), { untilMs: TRUE_MS + 20 * MINUTE_MS, who: 'ana' });
  await clock.advance(20 * MINUTE_MS - 1);
  assert.equal(override.current()?.who, 'ana');
  await clock.advance(1);
  assert.equal(override.current(), undefined);
});

test('it can be ended', () => {
  const { override } = powerAt(new SimClock(0));
  override.begin(30 * MINUTE_MS, 'ana');
  override.begin(0, 'ana');
  assert.equal(override.current(), undefined);
});

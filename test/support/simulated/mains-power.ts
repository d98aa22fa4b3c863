/** The power of a hub on mains, on a simulated card: what it notes and counts, without a battery. */
import assert from 'node:assert/strict';

import { onTestFinished } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { HubPower } from '../../../src/hub/power/power.ts';
import type { Machine } from '../../../src/machine.ts';
import type { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimDriverFiles } from '../../../src/platform/sim/driver-files.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { SimSerialPorts } from '../../../src/platform/sim/serial.ts';
import { EMPTY_BACKLOG } from '../../../src/power/backlog.ts';

/** A card with the folder that the power of a hub writes to. */
export function powerCard(): SimFiles {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('/power');
  return files;
}

export function openMainsPower(clock: SimClock, files = powerCard()): HubPower {
  const outcome = loadConfig({ sets: ['power.sources=["none"]'] });
  assert.ok(outcome.kind === 'ok');
  const wires = { serial: new SimSerialPorts(clock), drivers: new SimDriverFiles() };
  const parts = { files, random: new SeededRandom(1), ...wires, clock, timers: clock };
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

/** A VE.Direct adapter that is pulled out and put back while the hub runs, on a real pseudo-terminal. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

import { MachineClock, machineTimers } from '../../src/platform/clock.ts';
import { machineSerial } from '../../src/platform/serial.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import type { Reading } from '../../src/power/estimate/reading.ts';
import { VeDirectSource } from '../../src/power/sources/ve-direct.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const BLOCK = Buffer.from(
  '\r\nPID\t0xA053\r\nV\t13120\r\nI\t2150\r\nVPV\t34250\r\nPPV\t29\r\nCS\t3\r\nERR\t0' +
    '\r\nH19\t2502\r\nH20\t6\r\nH21\t53\r\nHSDS\t351\r\nChecksum\t\x1b',
  'latin1',
);
const clock = new MachineClock();
const SEND_MS = 50;

async function plug(path: string): Promise<ChildProcess> {
  const adapter = spawn('socat', [`pty,raw,echo=0,link=${path}`, 'stdio'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  onTestFinished(() => void adapter.kill('SIGKILL'));
  await once(adapter, 'spawn');
  while (!existsSync(path)) await sleep(5);
  return adapter;
}

/** Sends blocks as a charger does, until `isDone`. */
async function sendUntil(adapter: ChildProcess, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    adapter.stdin?.write(BLOCK);
    await sleep(SEND_MS);
  }
}

testWithPeers('pulled out it is told once, put back it is read again', ['socat'], async () => {
  const path = `${tempDir()}/ttyUSB0`;
  const readings: Reading[] = [];
  let tellLoss: (reason: string) => void = () => undefined;
  const losses: string[] = [];
  const lost = new Promise<string>((resolve) => {
    tellLoss = resolve;
  });
  const source = new VeDirectSource(`ve-direct:${path}`, () => path, {
    serial: machineSerial,
    clock,
    timers: machineTimers,
    random: new SeededRandom(1),
  });
  const first = await plug(path);
  source.start(
    (reading) => readings.push(reading),
    (reason) => {
      losses.push(reason);
      tellLoss(reason);
    },
  );
  onTestFinished(() => source.stop());
  await sendUntil(first, () => readings.length > 2);
  assert.equal(readings.at(-1)?.batteryVolts, 13.12);

  first.kill('SIGKILL');
  assert.match(await lost, /the device is gone/);
  readings.length = 0;
  const second = await plug(path);
  await sendUntil(second, () => readings.length > 2);
  assert.equal(readings.at(-1)?.pvWatts, 29);
  assert.equal(losses.length, 1, losses.join('; '));
});

/** Serial lines, real (on a pseudo-terminal by socat) and simulated, behave alike. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { describe, onTestFinished, test } from 'vitest';

import { machineTimers } from '../../src/platform/clock.ts';
import { machineSerial, type SerialPorts } from '../../src/platform/serial.ts';
import { SimSerialPorts } from '../../src/platform/sim/serial.ts';
import { peer } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Device {
  readonly ports: SerialPorts;
  readonly path: string;
  send(bytes: Uint8Array): void;
  unplug(): void;
}

function simulated(): Promise<Device> {
  const ports = new SimSerialPorts(machineTimers);
  const path = '/dev/ttyUSB0';
  ports.plug(path);
  return Promise.resolve({
    ports,
    path,
    send: (bytes) => ports.send(path, bytes),
    unplug: () => ports.unplug(path),
  });
}

async function real(): Promise<Device> {
  const path = `${tempDir()}/tty`;
  const socat = spawn('socat', [`pty,raw,echo=0,link=${path}`, 'stdio'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  onTestFinished(() => {
    socat.kill('SIGKILL');
  });
  await once(socat, 'spawn');
  while (!existsSync(path)) await new Promise(setImmediate);
  return {
    ports: machineSerial,
    path,
    send: (bytes) => socat.stdin.write(bytes),
    unplug: () => socat.kill('SIGKILL'),
  };
}

/** Of this process. */
function terminalsOpen(): number {
  const folder = '/proc/self/fd';
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('/dev/pts/');
    } catch {
      return false; // The one of the listing itself.
    }
  }).length;
}

/** Every byte value, so that a line discipline that eats or changes one is seen. */
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

interface Heard {
  /** Resolves with the next bytes. */
  more(): Promise<void>;
  close(): void;
}

/** Opens the port, and comes back when bytes have come through. */
async function heardFrom(device: Device): Promise<Heard> {
  let heard = (): void => undefined;
  let reason: string | undefined;
  const more = (): Promise<void> => new Promise((resolve) => (heard = resolve));
  const line = device.ports.open(device.path, 19_200, {
    onData: () => heard(),
    onClose: (why) => (reason = why),
  });
  const opened = more().then(() => true);
  const pause = (): Promise<boolean> =>
    new Promise((resolve) => setTimeout(() => resolve(false), 5));
  do {
    assert.equal(reason, undefined);
    device.send(ALL_BYTES);
  } while (!(await Promise.race([opened, pause()])));
  return { more, close: () => line.close() };
}

function suite(open: () => Promise<Device>): void {
  test('all byte values come through, and the end is told once', async () => {
    const device = await open();
    const received: number[] = [];
    let ends = 0;
    let over: () => void;
    const ended = new Promise<void>((resolve) => (over = resolve));
    device.ports.open(device.path, 19_200, {
      onData: (bytes) => {
        received.push(...bytes);
      },
      onClose: () => {
        ends += 1;
        over();
      },
    });
    // Sent again until the port is open: what comes before that is lost, or a part of it, as on a real line.
    while (!Buffer.from(received).includes(Buffer.from(ALL_BYTES))) {
      device.send(ALL_BYTES);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    device.unplug();
    await ended;
    assert.equal(ends, 1);
  });

  test('a port that is not there fails after the call, with a reason', async () => {
    const { ports } = await open();
    let inCall = true;
    const reason = await new Promise<string>((resolve) => {
      ports.open('/dev/heliograph-has-no-such-port', 19_200, {
        onData: () => undefined,
        onClose: (why) => {
          assert.equal(inCall, false);
          resolve(why);
        },
      });
      inCall = false;
    });
    assert.match(reason, /no such device/);
  });

  test('a port has one reader: another is refused, with a reason, until it is free', async () => {
    const device = await open();
    const first = await heardFrom(device);
    const reason = await new Promise<string>((resolve) => {
      device.ports.open(device.path, 19_200, {
        onData: () => assert.fail("these bytes are the first one's"),
        onClose: resolve,
      });
    });
    assert.match(reason, /another program/);
    const more = first.more();
    device.send(ALL_BYTES);
    await more;
    first.close();
    (await heardFrom(device)).close();
  });

  test('after close nothing is told any more', async () => {
    const device = await open();
    let calls = 0;
    const line = device.ports.open(device.path, 19_200, {
      onData: () => (calls += 1),
      onClose: () => (calls += 1),
    });
    line.close();
    device.send(ALL_BYTES);
    device.unplug();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(calls, 0);
  });
}

describe('simulated', () => suite(simulated));

const socat = peer('socat');
const required = process.env['REQUIRE_PEERS'] === '1';
if (socat !== undefined || required) {
  describe('real', () => {
    suite(real);

    test('a line that was closed leaves nothing open', async () => {
      const device = await real();
      const keeper = openSync(device.path, constants.O_RDONLY | constants.O_NOCTTY);
      onTestFinished(() => closeSync(keeper));
      const before = terminalsOpen();
      for (let times = 0; times < 3; times++) (await heardFrom(device)).close();
      while (terminalsOpen() > before) await new Promise(setImmediate);
    });
  });
} else describe.skip('real (skipped: needs socat)', () => suite(real));

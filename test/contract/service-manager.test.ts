/** What a service manager hears: over a real notify socket and in the simulated twin alike. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { SimServiceManager } from '../../src/platform/sim/service-manager.ts';
import { feedWatchdog, type ServiceManager, SystemdManager } from '../../src/platform/systemd.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

/** Says all there is to say; `heard` resolves when a message that matches has come. */
async function sayEverything(
  manager: ServiceManager,
  heard: (pattern: RegExp) => Promise<string>,
): Promise<void> {
  manager.ready();
  await heard(/^READY=1$/);
  manager.status('serving\n3 devices');
  await heard(/^STATUS=serving 3 devices$/);
  manager.watchdog();
  await heard(/^WATCHDOG=1$/);
  manager.stopping();
  await heard(/^STOPPING=1$/);
}

test('the simulated manager hears every message', async () => {
  const manager = new SimServiceManager();
  await sayEverything(manager, (pattern) => {
    const said = manager.said.find((line) => pattern.test(line));
    return said === undefined ? Promise.reject(new Error(`${pattern}`)) : Promise.resolve(said);
  });
});

describe('systemd', () => {
  testWithPeers('hears every message', ['systemd-notify', 'python3'], async ([, python = '']) => {
    const { manager, receiver } = await realManager(python);
    await sayEverything(manager, (pattern) => receiver.line(pattern));
  });

  testWithPeers(
    'hears the newest of each kind where they come faster than they go',
    ['systemd-notify', 'python3'],
    async ([, python = '']) => {
      const { manager, receiver } = await realManager(python);
      manager.ready();
      for (let round = 1; round <= 50; round++) manager.status(`round ${round}`);
      await receiver.line(/^STATUS=round 50$/);
      assert.ok(receiver.lines.includes('READY=1'));
      assert.ok(receiver.lines.length < 12, receiver.lines.join(' '));
    },
  );
});

/** Prints what comes, a message a line. Reading drops the descriptor by which systemd-notify waits for us. */
const RECEIVER = `
import socket, sys
inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
inbox.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(inbox.recv(4096).decode(), flush=True)
`;

async function realManager(python: string) {
  const socket = join(tempDir(), 'notify');
  const receiver = spawnProcess(python, ['-c', RECEIVER, socket]);
  await receiver.line(/^listening$/);
  return { receiver, manager: new SystemdManager(SILENT_LOG, { NOTIFY_SOCKET: socket }) };
}

test('without a service manager all of it is silent', () => {
  const lines: string[] = [];
  const log = { ...SILENT_LOG, warn: (event: string) => void lines.push(event) };
  const manager = new SystemdManager(log, { WATCHDOG_USEC: '30000000' });
  assert.equal(manager.watchdogMs, undefined);
  manager.ready();
  manager.watchdog();
  assert.deepEqual(lines, []);
});

test('a service manager that does not listen is said once, and harms nothing', async () => {
  const problems: unknown[] = [];
  await new Promise<void>((resolve) => {
    const log = {
      ...SILENT_LOG,
      warn: (event: string) => {
        problems.push(event);
        resolve();
      },
    };
    const manager = new SystemdManager(log, { NOTIFY_SOCKET: join(tempDir(), 'nowhere') });
    manager.ready();
    manager.status('on');
  });
  assert.deepEqual(problems, ['service.notify-failed']);
});

test('the period of the watchdog comes from the environment', () => {
  const environment = { NOTIFY_SOCKET: '/run/nowhere', WATCHDOG_USEC: '30000000' };
  assert.equal(new SystemdManager(SILENT_LOG, environment).watchdogMs, 30_000);
  assert.equal(
    new SystemdManager(SILENT_LOG, { NOTIFY_SOCKET: '/run/nowhere' }).watchdogMs,
    undefined,
  );
});

test('signs of life come twice a period', async () => {
  const clock = new SimClock(0);
  const manager = new SimServiceManager(30_000);
  const cancel = feedWatchdog(manager, clock);
  await clock.advance(60_000);
  assert.equal(manager.said.length, 4);
  cancel();
  await clock.advance(60_000);
  assert.equal(manager.said.length, 4);
});

test('nobody watches, nothing is fed', () => {
  const clock = new SimClock(0);
  feedWatchdog(new SimServiceManager(), clock);
  assert.equal(clock.nextDueMs(), undefined);
});

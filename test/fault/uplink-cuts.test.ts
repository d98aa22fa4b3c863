/** A real link that is cut at random bytes: everything arrives, and little crosses twice. The long run is a soak. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { Broker } from '../../src/broker/broker.ts';
import { PASSING_DOOR } from '../../src/broker/contract.ts';
import { MachineClock, machineTimers } from '../../src/platform/clock.ts';
import { machineNetwork } from '../../src/platform/network/machine-network.ts';
import { deliverOverCuts } from '../support/hubs/cut-link.ts';

const BACKLOG_BYTES = 1 << 19;

/** The broker of a regional node, on a free port. */
async function openBroker(): Promise<number> {
  const broker = Broker.open({
    clock: new MachineClock(),
    timers: machineTimers,
    log: SILENT_LOG,
    door: PASSING_DOOR,
    gatekeeper: {
      revision: 0,
      authenticate: ({ clientId }) =>
        Promise.resolve({ name: clientId, role: 'device' as const, clientId }),
      mayPublish: () => true,
      mayRead: () => true,
    },
    version: 'test',
  });
  const place = { host: '127.0.0.1', port: 0, purpose: 'test', connectionsMax: 10 };
  const listener = await machineNetwork.listen(place, (connection) => broker.accept(connection));
  onTestFinished(async () => {
    await listener.close();
    await broker.close();
  });
  return listener.port;
}

test('twenty cuts within half a megabyte cost less than half as much again', async () => {
  const backlog = { backlogBytes: BACKLOG_BYTES, cutsMax: 20, seed: 11 };
  const clean = await deliverOverCuts({
    ...backlog,
    port: await openBroker(),
    bytesBetweenCuts: undefined,
  });
  assert.ok(clean.bytes < 1.05 * BACKLOG_BYTES, `${clean.bytes} bytes without a cut`);
  const cut = await deliverOverCuts({
    ...backlog,
    port: await openBroker(),
    bytesBetweenCuts: 24_000,
  });
  assert.ok(cut.cuts === 20, `${cut.cuts} cuts`);
  assert.ok(cut.bytes < 1.5 * clean.bytes, `${cut.bytes} of ${clean.bytes} bytes`);
});

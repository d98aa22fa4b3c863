import assert from 'node:assert/strict';
import { test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import type { MqttClient, MqttSession } from '../../../../src/platform/network/mqtt-client.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { BrokerLink } from '../../../../src/regional/arriving/broker-link.ts';

const SESSION: MqttSession = {
  publish: async () => undefined,
  subscribe: async () => undefined,
  bytesOut: 0,
  bytesIn: 0,
  close: async () => undefined,
};

test('while its broker does not answer, it says so, and what to look at', async () => {
  const clock = new SimClock(0);
  let isThere = false;
  const mqtt: MqttClient = {
    connect: async ({ url }) => {
      if (!isThere) throw new HubError('uplink.unreachable', `no answer`);
      assert.equal(url, 'mqtt://broker');
      return SESSION;
    },
  };
  const link = new BrokerLink({
    mqtt,
    broker: { url: 'mqtt://broker' },
    clientId: 'region',
    group: undefined,
    timers: clock,
    random: new SeededRandom(1),
    log: SILENT_LOG,
    onMessage: async () => undefined,
    onFatal: (error) => assert.fail(String(error)),
  });
  await link.open();
  const code = 'region.broker-away';
  assert.deepEqual(link.trouble, { code, message: 'mqtt://broker: no answer' });
  isThere = true;
  await clock.advance(60_000);
  assert.equal(link.isConnected, true);
  assert.equal(link.trouble, undefined);
  await link.close();
});

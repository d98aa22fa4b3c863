/** The real MQTT client and its simulated twin behave alike; the real one against a real Mosquitto. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';

import { afterEach, describe, test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { HubError } from '../../src/base/errors.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { machineMqttClient } from '../../src/platform/network/machine-mqtt-client.ts';
import type {
  MqttClient,
  MqttSession,
  MqttSessionOptions,
} from '../../src/platform/network/mqtt-client.ts';
import { SimMqttBroker } from '../../src/platform/sim/mqtt-client.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import { peer, runsWith } from '../support/machine/peers.ts';
import { freePort, spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Setting {
  readonly client: MqttClient;
  readonly url: string;
  /** Nobody listens there. */
  readonly deadUrl: string;
}

function simulated(): Promise<Setting> {
  const broker = new SimMqttBroker({
    timers: machineTimers,
    random: new SeededRandom(1),
    accepts: (options) => options.password !== 'wrong',
  });
  const down = broker.client({ isDown: true });
  const up = broker.client({ delayMs: 1 });
  const client: MqttClient = {
    connect: (options, handlers) => {
      return (options.url === 'mqtt://dead' ? down : up).connect(options, handlers);
    },
  };
  return Promise.resolve({ client, url: 'mqtt://sim', deadUrl: 'mqtt://dead' });
}

const mosquitto = peer('mosquitto');

async function real(): Promise<Setting> {
  assert.ok(
    mosquitto,
    'mosquitto is needed beside this test, and REQUIRE_PEERS=1 forbids skipping',
  );
  const dir = tempDir();
  const port = await freePort();
  // Anonymous clients are welcome; who gives a name must be in the (empty) list. A broker that root starts
  // would otherwise become a user who may not read this folder.
  writeFileSync(`${dir}/passwords`, '');
  const config = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    `password_file ${dir}/passwords`,
    'user root',
    '',
  ].join('\n');
  writeFileSync(`${dir}/mosquitto.conf`, config);
  const broker = spawnProcess(mosquitto, ['-c', `${dir}/mosquitto.conf`, '-v']);
  await broker.line(/running/);
  const deadUrl = `mqtt://127.0.0.1:${await freePort()}`;
  return { client: machineMqttClient, url: `mqtt://127.0.0.1:${port}`, deadUrl };
}

const settings: [string, () => Promise<Setting>, boolean][] = [
  ['simulated', simulated, true],
  ['real, against mosquitto', real, runsWith('mosquitto')],
];

describe.each(settings)('MQTT client: %s', (name, makeSetting, canRun) => {
  if (!canRun) {
    test.skip(`${name} (skipped: needs mosquitto)`, () => undefined);
    return;
  }
  let setting: Setting;
  const open: MqttSession[] = [];

  /** A test with a broker of its own. */
  const withBroker = (title: string, run: () => Promise<void>): void => {
    test(title, async () => {
      setting = await makeSetting();
      await run();
    });
  };

  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.close()));
  });

  class Peer {
    readonly received: [topic: string, payload: Uint8Array][] = [];
    readonly closes: string[] = [];
    readonly vain: number[] = [];
    #waiting: (() => void) | undefined;

    async connect(options: Partial<MqttSessionOptions>): Promise<MqttSession> {
      const defaults = { url: setting.url, keepaliveS: 60, connectTimeoutMs: 60_000 };
      const session = await setting.client.connect(
        { clientId: 'x', ...defaults, ...options },
        {
          onMessage: (topic, payload) => {
            this.received.push([topic, payload]);
            this.#waiting?.();
          },
          onClose: (reason) => {
            this.closes.push(reason);
            this.#waiting?.();
          },
          onVain: (lineBytes) => void this.vain.push(lineBytes),
        },
      );
      open.push(session);
      return session;
    }

    async until(isThere: () => boolean): Promise<void> {
      while (!isThere()) {
        await new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
      }
    }
  }

  withBroker('messages arrive whole, in order, for those whose filters match', async () => {
    const listener = new Peer();
    const a = await listener.connect({ clientId: 'listener' });
    await a.subscribe(['up/+/one', 'all/#']);
    const b = await new Peer().connect({ clientId: 'speaker' });
    const large = new Uint8Array(64 << 10).map((_, index) => index);
    await b.publish('up/x/one', large, { qos: 1 });
    await b.publish('up/x/two', utf8('not asked for'), { qos: 1 });
    await b.publish('up/x/y/one', utf8('not asked for'), { qos: 1 });
    await b.publish('all/1/2/3', utf8('deep'), { qos: 0 });
    await b.publish('all', utf8('parent'), { qos: 1 });
    const numbered = Array.from({ length: 20 }, (_, n) => Uint8Array.of(n));
    await Promise.all(numbered.map((payload) => b.publish('all/n', payload, { qos: 1 })));
    await listener.until(() => listener.received.length === 23);
    const [first, ...rest] = listener.received;
    assert.deepEqual(first, ['up/x/one', large]);
    assert.deepEqual(rest.slice(0, 2), [
      ['all/1/2/3', utf8('deep')],
      ['all', utf8('parent')],
    ]);
    const numbers = rest.slice(2).map(([, payload]) => payload[0]);
    assert.deepEqual(numbers, Array.from(numbers.keys()));
    assert.ok(b.bytesOut > large.length && a.bytesIn > large.length);
  });

  withBroker('what is retained reaches who subscribes later, until it is taken back', async () => {
    const speaker = await new Peer().connect({ clientId: 'speaker' });
    await speaker.publish('hello/1', utf8('old'), { qos: 1, retain: true });
    await speaker.publish('hello/1', utf8('new'), { qos: 1, retain: true });
    const late = new Peer();
    await (await late.connect({ clientId: 'late' })).subscribe(['hello/+']);
    await late.until(() => late.received.length > 0);
    assert.deepEqual(late.received, [['hello/1', utf8('new')]]);
    await speaker.publish('hello/1', new Uint8Array(), { qos: 1, retain: true });
    const later = new Peer();
    const session = await later.connect({ clientId: 'later' });
    await session.subscribe(['hello/+']);
    await session.publish('hello/2', utf8('own'), { qos: 1 });
    await later.until(() => later.received.length > 0);
    assert.deepEqual(later.received, [['hello/2', utf8('own')]]);
  });

  withBroker('no broker and no entry are two different faults', async () => {
    const isFault = (code: string) => (error: unknown) => {
      return error instanceof HubError && error.code === code;
    };
    const dead = new Peer();
    const alone = dead.connect({ url: setting.deadUrl });
    await assert.rejects(alone, isFault('uplink.unreachable'));
    assert.deepEqual(dead.vain, [0], 'nothing was carried');
    const refused = new Peer();
    const login = { username: 'someone', password: 'wrong' };
    await assert.rejects(refused.connect(login), isFault('uplink.refused'));
    assert.equal(refused.vain.length, 1);
    assert.ok((refused.vain[0] ?? 0) > 'someone'.length + 'wrong'.length, 'a login costs bytes');
    const welcome = new Peer();
    await welcome.connect({});
    assert.deepEqual(welcome.vain, []);
  });

  withBroker('our own close is told once, and nothing goes through afterwards', async () => {
    const own = new Peer();
    const session = await own.connect({ clientId: 'own' });
    await session.close();
    await session.close();
    assert.deepEqual(own.closes, ['closed by us']);
    await assert.rejects(session.publish('x', utf8('x'), { qos: 1 }), HubError);
    await assert.rejects(session.subscribe(['x']), HubError);
  });

  withBroker('a second session with the same id ends the first, whose will goes out', async () => {
    const witness = new Peer();
    await (await witness.connect({ clientId: 'witness' })).subscribe(['wills']);
    const first = new Peer();
    const will = { topic: 'wills', payload: utf8('gone'), retain: false };
    const session = await first.connect({ clientId: 'twin', will });
    const second = new Peer();
    await second.connect({ clientId: 'twin' });
    await first.until(() => first.closes.length > 0);
    await witness.until(() => witness.received.length > 0);
    assert.deepEqual(witness.received, [['wills', utf8('gone')]]);
    assert.equal(first.closes.length, 1);
    assert.equal(second.closes.length, 0);
    await assert.rejects(session.publish('x', utf8('x'), { qos: 1 }), HubError);
  });
});

import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimMqttBroker } from '../../../../src/platform/sim/mqtt-client.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import type { Reading } from '../../../../src/power/estimate/reading.ts';
import { MqttJsonSource, readingOfJson } from '../../../../src/power/sources/mqtt-json.ts';
import { readingOfValues, VenusMqttSource } from '../../../../src/power/sources/venus-mqtt.ts';

/** A GX that answers keepalives: a dump for an empty one, then values for as long as it is asked. */
async function gxRig(url = 'mqtt://gx'): Promise<{
  clock: SimClock;
  readings: Reading[];
  losses: string[];
  asked: string[];
  values: Record<string, unknown>;
  source: VenusMqttSource;
  gx: { cut(): void; link: { isDown: boolean } };
  /** Behind a broker that stays: switched off and on. */
  device: { isOff: boolean };
}> {
  const clock = new SimClock(0);
  const random = new SeededRandom(1);
  const broker = new SimMqttBroker({ timers: clock, random });
  const values: Record<string, unknown> = {
    'system/0/Dc/Battery/Soc': 71.5,
    'system/0/Dc/Battery/Voltage': 26.4,
    'system/0/Dc/Battery/Current': -1.5,
    'system/0/Dc/Battery/Power': -39.6,
    'system/0/Dc/Pv/Power': 12,
  };
  const asked: string[] = [];
  const device = { isOff: false };
  const publish = (topic: string, text: string): void =>
    broker.route(`N/abc123/${topic}`, Buffer.from(text), false);
  const dump = (): void => {
    for (const [topic, value] of Object.entries(values)) publish(topic, JSON.stringify({ value }));
  };
  let lastAskedMs = -Infinity;
  const connecting = broker.client().connect(
    { url: 'mqtt://gx', clientId: 'gx', keepaliveS: 30, connectTimeoutMs: 1_000 },
    {
      onMessage: (topic, payload) => {
        if (device.isOff) return;
        asked.push(`${topic} ${Buffer.from(payload).toString()}`);
        lastAskedMs = clock.monotonicMs();
        if (payload.length === 0) dump();
      },
      onClose: () => undefined,
    },
  );
  await clock.advance(1);
  const connected = await connecting;
  const subscribing = connected.subscribe(['R/abc123/keepalive']);
  await clock.advance(1);
  await subscribing;
  clock.every(5_000, () => {
    if (device.isOff) return;
    if (clock.monotonicMs() - lastAskedMs < 60_000)
      publish('system/0/Dc/Battery/Current', '{"value":-1.5}');
    publish('heartbeat', '{"value":1}');
  });
  const client = broker.client();
  const source = new VenusMqttSource('venus', url, { clock, timers: clock, random, mqtt: client });
  const readings: Reading[] = [];
  const losses: string[] = [];
  source.start(
    (reading) => readings.push(reading),
    (reason) => losses.push(reason),
  );
  return { clock, readings, losses, asked, values, source, gx: client, device };
}

test('Venus: learns the portal id, asks for a dump once, then only for changes', async () => {
  const { clock, readings, asked, losses, source } = await gxRig();
  await clock.advance(6_500);
  assert.equal(readings.length, 1, 'told as soon as it is there: an installer waits for it');
  await clock.advance(88_500);
  const [first, ...later] = asked;
  assert.equal(first, 'R/abc123/keepalive ');
  assert.equal(later.length, 3);
  for (const ask of later) assert.match(ask, /suppress-republish/);
  const { atMs: _, ...last } = readings.at(-1) as Reading;
  assert.deepEqual(last, {
    quality: 'good',
    batteryVolts: 26.4,
    batteryAmps: -1.5,
    batteryWatts: -39.6,
    socRatio: 0.715,
    pvWatts: 12,
  });
  assert.deepEqual(losses, []);
  source.stop();
});

test('Venus: a GX with a password is told it, the new one after a change, and says where it belongs', async () => {
  const clock = new SimClock(0);
  const random = new SeededRandom(1);
  let wanted = 'first';
  const logins: unknown[] = [];
  const broker = new SimMqttBroker({
    timers: clock,
    random,
    accepts: ({ username, password }) => {
      logins.push([username, password]);
      return password === wanted;
    },
  });
  const losses: string[] = [];
  const client = broker.client();
  const machine = { clock, timers: clock, random, mqtt: client };
  let password = 'first';
  const source = new VenusMqttSource('venus', 'mqtt://gx', machine, () => ({ password }));
  source.start(
    () => undefined,
    (reason) => losses.push(reason),
  );
  await clock.advance(1_000);
  assert.deepEqual(logins, [['heliograph', 'first']]);
  wanted = 'second';
  client.cut();
  await clock.advance(10_000);
  assert.match(losses.join(), /cut|lost|closed/);
  password = 'second';
  await clock.advance(120_000);
  assert.deepEqual(logins.at(-1), ['heliograph', 'second']);
  source.stop();

  const refused = new VenusMqttSource('venus', 'mqtt://gx', machine);
  const reasons: string[] = [];
  refused.start(
    () => undefined,
    (reason) => reasons.push(reason),
  );
  await clock.advance(1_000);
  assert.deepEqual(reasons, [
    "not authorised; the GX's password goes into power.venus.password_file",
  ]);
  refused.stop();
});

test('Venus: a link that is cut is told once, tried again, and the values come back', async () => {
  const { clock, readings, losses, gx, source } = await gxRig('mqtt://gx/abc123');
  await clock.advance(20_000);
  gx.link.isDown = true;
  gx.cut();
  await clock.advance(10 * 60_000);
  assert.equal(losses.length, 1);
  readings.length = 0;
  gx.link.isDown = false;
  await clock.advance(20_000);
  assert.ok(readings.length > 0);
  source.stop();
  readings.length = 0;
  await clock.advance(60_000);
  assert.equal(readings.length, 0);
});

test('Venus: what was heard before the link broke is not told as new once there is a link again', async () => {
  const { clock, readings, gx, device, source } = await gxRig();
  await clock.advance(40_000);
  gx.link.isDown = true;
  device.isOff = true;
  gx.cut();
  await clock.advance(60 * 60_000);
  readings.length = 0;
  gx.link.isDown = false;
  await clock.advance(60_000);
  assert.equal(readings.length, 0, 'its broker is up before its values are');
  device.isOff = false;
  await clock.advance(60_000);
  assert.equal(readings.at(-1)?.socRatio, 0.715);
  source.stop();
});

test('Venus: a GX that disappears behind its broker and comes back tells everything anew', async () => {
  const { clock, readings, losses, device, asked, source } = await gxRig();
  await clock.advance(40_000);
  assert.equal(readings.at(-1)?.socRatio, 0.715);
  device.isOff = true;
  await clock.advance(5 * 60_000);
  assert.equal(losses.length, 1, losses.join());
  assert.ok(
    readings.every(({ atMs }) => atMs <= 41_000),
    'what was heard last is not told as new',
  );
  readings.length = 0;
  asked.length = 0;
  device.isOff = false;
  await clock.advance(60_000);
  assert.equal(readings.at(-1)?.socRatio, 0.715, 'though it has not changed');
  assert.equal(losses.length, 1);
  await clock.advance(60_000);
  assert.match(asked.at(-1) ?? '', /suppress-republish/, 'one dump is enough');
  source.stop();
});

test('Venus: a value that becomes null is absent while the others go on', async () => {
  const { clock, readings, values, source, device } = await gxRig('mqtt://gx/abc123');
  await clock.advance(10_000);
  assert.ok(readings.at(-1)?.pvWatts === 12);
  values['system/0/Dc/Pv/Power'] = null;
  device.isOff = true;
  await clock.advance(90_000);
  device.isOff = false;
  await clock.advance(60_000);
  const { pvWatts, batteryVolts } = readings.at(-1) as Reading;
  assert.deepEqual([pvWatts, batteryVolts], [undefined, 26.4]);
  source.stop();
});

test('Venus: null and what is gone are absent, and curtailment is seen on any charger', () => {
  const of = (values: Record<string, number>): Reading =>
    readingOfValues(new Map(Object.entries(values)), 0);
  assert.equal(of({ 'system/0/Dc/Battery/Soc': 0 }).socRatio, undefined, 'a GX that starts');
  assert.equal(of({ 'system/0/Dc/Battery/Soc': 0, 'system/0/Dc/Battery/Voltage': 11 }).socRatio, 0);
  const below = of({ 'system/0/Dc/Battery/Soc': -4, 'system/0/Dc/Battery/Voltage': -13 });
  assert.deepEqual([below.socRatio, below.batteryVolts], [-0.04, -13], 'judged later');
  assert.equal(of({}).curtailed, undefined);
  const chargers = {
    'solarcharger/1/MppOperationMode': 2,
    'solarcharger/1/State': 3,
    'solarcharger/2/MppOperationMode': 1,
  };
  assert.equal(of({ ...chargers, 'solarcharger/2/State': 4 }).curtailed, true);
  assert.equal(of({ ...chargers, 'solarcharger/2/State': 3 }).curtailed, false);
});

function jsonOf(value: unknown, path: string, field?: string): Reading | undefined {
  const topic = field === undefined ? { topic: 't', path } : { topic: 't', path, field };
  return readingOfJson(Buffer.from(JSON.stringify(value)), topic, 5);
}

test('JSON: a number by its name, an object of numbers, a name given by hand', () => {
  const base = { atMs: 5, quality: 'good' };
  assert.deepEqual(jsonOf({ data: { soc: 41 } }, 'data.soc'), { ...base, socRatio: 0.41 });
  assert.deepEqual(jsonOf({ bat: { voltage: '13.1', Battery_Current: -2, serial: 'x' } }, 'bat'), {
    ...base,
    batteryVolts: 13.1,
    batteryAmps: -2,
  });
  assert.deepEqual(jsonOf({ x: [7, 8] }, 'x.1', 'pvWatts'), { ...base, pvWatts: 8 });
  assert.deepEqual(jsonOf({ x: [{ soc: 41 }] }, '$.x[0].soc'), { ...base, socRatio: 0.41 });
  assert.deepEqual(jsonOf([12.9], '$[0]', 'batteryV'), { ...base, batteryVolts: 12.9 });
});

test.each([
  [{ data: {} }, 'data.soc'],
  [{ soc: null }, 'soc'],
  [{ soc: 'full' }, 'soc'],
  [{ soc: true }, 'soc'],
  [{ what: 3 }, 'what'],
  [7, 'soc'],
  [{}, '__proto__.soc'],
])('JSON: nothing usable in %j at %s', (value, path) => {
  assert.equal(jsonOf(value, path), undefined);
});

test('JSON: silence is told once, and readings come again', async () => {
  const clock = new SimClock(0);
  let send: ((topic: string, payload: Uint8Array) => void) | undefined;
  const readings: Reading[] = [];
  const losses: string[] = [];
  const source = new MqttJsonSource(
    'mqtt:t#soc',
    { topic: 't', path: 'soc' },
    { clock, timers: clock },
    (_f, on) => {
      send = on;
      return () => (send = undefined);
    },
  );
  source.start(
    (reading) => readings.push(reading),
    (reason) => losses.push(reason),
  );
  await clock.advance(5 * 60_000);
  assert.deepEqual(losses, ['nothing came on t for a minute']);
  send?.('t', Buffer.from('{"soc":50}'));
  send?.('t', Buffer.from('not json'));
  assert.equal(readings.length, 1);
  await clock.advance(2 * 60_000);
  assert.equal(losses[1], 'what came last on t is not JSON');
  const reasonFor = async (text: string): Promise<string | undefined> => {
    send?.('t', Buffer.from('{"soc":50}'));
    send?.('t', Buffer.from(text));
    await clock.advance(2 * 60_000);
    return losses.at(-1);
  };
  assert.equal(await reasonFor('{"soc":"full"}'), 'what came last on t has no number at soc');
  assert.match((await reasonFor(`"${'x'.repeat(70_000)}"`)) ?? '', /longer than 65536 bytes$/);
  source.stop();
  assert.equal(send, undefined);
  const bad = { topic: 't', path: 'x', field: 'colour' };
  assert.throws(
    () => new MqttJsonSource('m', bad, { clock, timers: clock }, () => () => undefined),
    { code: 'power.source-invalid' },
  );
});

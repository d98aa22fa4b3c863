/**
 * The demo's field devices: ten meters, a door contact and a phone, each with its own MQTT connection to the
 * hub, publishing at QoS 1 through a simulated day. They count what they publish and what the hub has
 * acknowledged; what is acknowledged is what must arrive upstream.
 *
 * They run in a process of their own (`heliograph demo devices`), as devices do.
 */
import { wallMsOfIso } from '../../base/iso-time.ts';
import { fastTime } from '../../platform/clock.ts';
import { machineMqttClient } from '../../platform/network/machine-mqtt-client.ts';
import type { Args } from '../args.ts';
import type { CliIo } from '../io.ts';
import { hexOf, utf8 } from '../../base/bytes.ts';
import { type Clock, pause, type Timers } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { CborWriter, encodeCbor } from '../../codec/writer.ts';
import { cborMap } from '../../codec/value.ts';
import { RECORD } from '../../model/class.ts';
import { HlcClock } from '../../model/hlc.ts';
import { encodeOp, PATCH } from '../../model/op.ts';
import { type Origin, originOfBytes } from '../../model/origin.ts';
import type { MqttClient, MqttSession } from '../../platform/network/mqtt-client.ts';

export const METERS = 10;
const READING_PERIOD_MS = 5 * 60_000;
const ALARM_PERIOD_MS = 3 * 3_600_000;
const PHOTO_PERIOD_MS = 2 * 3_600_000;
const NOTE_PERIOD_MS = 40 * 60_000;
const PHOTO_BYTES = 120_000;

export interface Tally {
  published: number;
  acknowledged: number;
}

/** `heliograph demo devices PLAN`: prints the tally as JSON at the end. */
export async function demoDevices(args: Args, io: CliIo): Promise<void> {
  const plan = JSON.parse(args.operand(0)) as {
    readonly url: string;
    readonly speed: number;
    readonly start: string;
    readonly hours: number;
  };
  const tally = await runDevices({
    ...fastTime(plan.speed, wallMsOfIso(plan.start) ?? io.clock.wallMs()),
    mqtt: machineMqttClient,
    url: plan.url,
    random: io.random,
    durationMs: plan.hours * 3_600_000,
    signal: io.signal,
  });
  io.stdout(`${JSON.stringify(tally)}\n`);
}

export interface DevicesOptions {
  readonly mqtt: MqttClient;
  readonly url: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Simulated time after which the devices fall silent. */
  readonly durationMs: number;
  /** Ends the day early. */
  readonly signal: AbortSignal;
}

/** Publishes for `durationMs` and resolves when every publish has been answered. */
async function runDevices(options: DevicesOptions): Promise<Tally> {
  const tally: Tally = { published: 0, acknowledged: 0 };
  const waiting: Promise<void>[] = [];
  const sessions: MqttSession[] = [];
  const join = async (clientId: string): Promise<Publish> => {
    const handlers = { onMessage: () => undefined, onClose: () => undefined };
    const session = await options.mqtt.connect(
      { url: options.url, clientId, keepaliveS: 30, connectTimeoutMs: 10_000 },
      handlers,
    );
    sessions.push(session);
    return (topic, payload) => {
      tally.published += 1;
      const answered = session.publish(topic, payload, { qos: 1 }).then(
        () => void (tally.acknowledged += 1),
        () => undefined, // Not acknowledged: the tally shows it.
      );
      waiting.push(answered);
    };
  };

  const stops = [
    ...(await Promise.all(Array.from({ length: METERS }, (_, i) => join(`meter-${i}`)))).map(
      (publish, i) => startMeter(options, publish, i),
    ),
    startDoor(options, await join('door')),
    startPhone(options, await join('phone')),
  ];
  await pause(options.timers, options.durationMs, options.signal);
  for (const stop of stops) stop();
  await Promise.all(waiting);
  await Promise.all(sessions.map((session) => session.close()));
  return tally;
}

type Publish = (topic: string, payload: Uint8Array) => void;

function startMeter(options: DevicesOptions, publish: Publish, index: number): () => void {
  let energyWh = 1_000 * index;
  return options.timers.every(READING_PERIOD_MS, () => {
    const powerW = 40 + 5 * index + 20 * options.random.fraction();
    energyWh += (powerW * READING_PERIOD_MS) / 3_600_000;
    const reading = {
      power_w: Math.round(powerW * 10) / 10,
      energy_wh: Math.round(energyWh),
      voltage_v: Math.round(2300 + 20 * options.random.fraction()) / 10,
    };
    publish(`meters/${index}/reading`, utf8(JSON.stringify(reading)));
  });
}

function startDoor(options: DevicesOptions, publish: Publish): () => void {
  let opened = 0;
  return options.timers.every(ALARM_PERIOD_MS, () => {
    opened += 1;
    publish('alarms/door', utf8(JSON.stringify({ event: 'opened', count: opened })));
  });
}

/** A technician's phone: photos as bulk messages, and a work order edited as a record through its own ops. */
function startPhone(options: DevicesOptions, publish: Publish): () => void {
  const origin = originOfBytes(options.random.bytes(8)) as Origin;
  const hlc = new HlcClock(options.clock);
  let seq = 0;
  const stopPhotos = options.timers.every(PHOTO_PERIOD_MS, () => {
    const name = hexOf(options.random.bytes(4));
    publish(`photos/${name}`, options.random.bytes(PHOTO_BYTES));
  });
  const stopNotes = options.timers.every(NOTE_PERIOD_MS, () => {
    seq += 1;
    const fields = cborMap({ status: seq % 4 === 0 ? 'done' : 'open', visits: seq });
    const op = encodeOp({
      origin,
      class: RECORD,
      seq,
      hlc: hlc.next(),
      clock: {
        quality: options.clock.quality(),
        bootId: 1,
        monotonicMs: Math.floor(options.clock.monotonicMs()),
      },
      kind: PATCH,
      key: `work-orders/${Math.ceil(seq / 4)}`,
      body: encodeCbor(fields),
    });
    publish('sync/phone/ops', new CborWriter(op.length + 1).array(1).raw(op).finish());
  });
  return () => {
    stopPhotos();
    stopNotes();
  };
}

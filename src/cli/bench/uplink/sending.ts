/**
 * The day over the wire, twice: as batches by the uplink to a regional node, and as the publishes themselves by a
 * Mosquitto bridge. Every byte of TCP payload is counted, both ways, from the first byte of the connection to the last:
 * greeting, chunks, receipts, acknowledgements.
 */
import { pause } from '../../../base/clock.ts';
import { HubError, messageOf } from '../../../base/errors.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { utf8 } from '../../../base/bytes.ts';
import { verifyEd25519 } from '../../../keys/identity.ts';
import { CLASSES } from '../../../model/class.ts';
import { Child, ownProgram } from '../../../platform/children.ts';
import { MachineClock, machineTimers } from '../../../platform/clock.ts';
import { CountingProxy } from '../../../platform/network/counting-proxy.ts';
import { freePort } from '../../../platform/network/load-socket.ts';
import { machineFiles } from '../../../platform/files/machine-files.ts';
import { machineMqttClient } from '../../../platform/network/machine-mqtt-client.ts';
import { machineRandom } from '../../../platform/random.ts';
import { Uplink } from '../../../uplink/uplink.ts';
import { HOST, type RunningBroker, startUntil } from '../contenders.ts';
import { startRival } from '../rivals/start-rival.ts';
import type { MeterPublish } from './meters.ts';
import { type BenchSite, SITE } from './site.ts';

export interface Wire {
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly bytesPerOp: number;
  readonly seconds: number;
}

const LOOK_MS = 20;
const SEND_MS_MAX = 300_000;
const LINGER_MS = 200;
/** Publishes of the bridge's source that wait for their acknowledgement. */
const WINDOW = 200;

/** Sends what the journal holds to a regional node behind the broker at `port`. */
export async function sendBatches(site: BenchSite, dir: string, port: number): Promise<Wire> {
  const region = await startRegion(`${dir}/region`, port);
  const proxy = await CountingProxy.open({ target: { host: HOST, port } });
  try {
    const clock = new MachineClock();
    const beganMs = clock.monotonicMs();
    const ops = site.journal.lastLsn;
    await deliver(site, `${dir}/uplink`, proxy.port);
    return wireOf(proxy, ops, (clock.monotonicMs() - beganMs) / 1_000);
  } finally {
    await proxy.close();
    await region.stop();
  }
}

async function deliver({ journal, signer }: BenchSite, dir: string, port: number): Promise<void> {
  let fatal: HubError | undefined;
  const uplink = Uplink.open({
    journal,
    files: machineFiles,
    dir,
    site: SITE,
    signer,
    verify: verifyEd25519,
    mqtt: machineMqttClient,
    broker: { url: `mqtt://${HOST}:${port}` },
    decide: () => ({ allowed: CLASSES, riding: CLASSES, why: 'bench' }),
    link: () => 'ethernet',
    syncLog: { append: () => undefined },
    energy: { transferWh: () => 0, sessionWh: () => 0, linkBytesToday: () => 0 },
    clock: new MachineClock(),
    timers: machineTimers,
    linkTimers: machineTimers,
    random: machineRandom,
    log: SILENT_LOG,
    software: 'bench',
    limits: { lookMs: LOOK_MS, lingerMs: LINGER_MS },
    onFatal: (error) => (fatal = new HubError('bench.broken', messageOf(error), error)),
  });
  try {
    const isOver = (): boolean =>
      fatal !== undefined ||
      (uplink.receiptedLsn === journal.lastLsn && uplink.status().state === 'idle');
    await until(isOver, 'the uplink did not deliver');
    if (fatal !== undefined) throw fatal;
  } finally {
    await uplink.close();
  }
}

async function startRegion(dir: string, port: number): Promise<Child> {
  const sets = ['regional.http_port=0', `regional.url=mqtt://${HOST}:${port}`, 'log_level=warn'];
  const { command, entry } = ownProgram();
  const options = sets.flatMap((set) => ['--set', set]);
  const args = [entry, 'regional', 'run', '--data', dir, ...options];
  return (await startUntil(command, args, (line) => line.startsWith('ready'))).child;
}

/** Publishes everything at a Mosquitto whose bridge carries it to the broker at `port`. */
export async function bridge(
  publishes: readonly MeterPublish[],
  dir: string,
  port: number,
): Promise<Wire> {
  const proxy = await CountingProxy.open({ target: { host: HOST, port } });
  const here = await startBridge(dir, proxy.port);
  let arrived = 0;
  const clock = new MachineClock();
  const far = await connect('bench-far', port, () => (arrived += 1));
  const near = await connect('bench-near', here.port, () => undefined);
  try {
    await far.subscribe(['site/#']);
    const beganMs = clock.monotonicMs();
    const queue = publishes.values();
    const publishNext = async (): Promise<void> => {
      for (const { topic, payload } of queue) await near.publish(topic, payload, { qos: 1 });
    };
    await Promise.all(Array.from({ length: WINDOW }, publishNext));
    await until(() => arrived >= publishes.length, 'the bridge did not deliver');
    const seconds = (clock.monotonicMs() - beganMs) / 1_000;
    // The last acknowledgements go back to the bridge before it stops.
    await pause(machineTimers, LINGER_MS);
    return wireOf(proxy, publishes.length, seconds);
  } finally {
    await near.close();
    await far.close();
    await here.stop();
    await proxy.close();
  }
}

function connect(clientId: string, port: number, onMessage: () => void) {
  const url = `mqtt://${HOST}:${port}`;
  const times = { keepaliveS: 60, connectTimeoutMs: 10_000 };
  return machineMqttClient.connect(
    { url, clientId, ...times },
    { onMessage, onClose: () => undefined },
  );
}

async function startBridge(dir: string, upstream: number): Promise<RunningBroker> {
  const port = await freePort();
  const config = `${dir}/bridge.conf`;
  const lines = [
    `listener ${port} ${HOST}`,
    'allow_anonymous true',
    'max_queued_messages 0',
    'user root',
    'log_dest none',
    'connection upstream',
    `address ${HOST}:${upstream}`,
    'topic site/# out 1',
    'bridge_protocol_version mqttv311',
    'notifications false',
    'try_private false',
  ];
  machineFiles.replace(config, utf8(`${lines.join('\n')}\n`));
  return startRival({ name: 'mosquitto', args: ['-c', config], port });
}

function wireOf({ bytesUp, bytesDown }: CountingProxy, ops: number, seconds: number): Wire {
  return { bytesUp, bytesDown, bytesPerOp: (bytesUp + bytesDown) / ops, seconds };
}

async function until(isTrue: () => boolean, otherwise: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < SEND_MS_MAX; waitedMs += LOOK_MS) {
    if (isTrue()) return;
    await pause(machineTimers, LOOK_MS);
  }
  throw new HubError('bench.broken', otherwise);
}

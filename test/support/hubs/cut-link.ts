/**
 * A backlog over a real TCP link that is cut again and again: the uplink, a proxy that counts and cuts at exact bytes, a
 * broker, a regional node. Files and store are in memory; sockets, timers and the MQTT library are real.
 */
import assert from 'node:assert/strict';

import { pause } from '../../../src/base/clock.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { DEFAULT_SEAL_LIMITS } from '../../../src/batch/limits.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import { CLASSES, TELEMETRY } from '../../../src/model/class.ts';
import { MachineClock, machineTimers } from '../../../src/platform/clock.ts';
import { CountingProxy } from '../../../src/platform/network/counting-proxy.ts';
import { machineMqttClient } from '../../../src/platform/network/machine-mqtt-client.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { EmbeddedStorage } from '../../../src/regional/embedded/embedded-storage.ts';
import { RegionalNode } from '../../../src/regional/regional-node.ts';
import { Uplink } from '../../../src/uplink/uplink.ts';
import { HUB, REGION, SITE, stampedOp } from '../made/batches.ts';
import { MemoryJournal } from '../memory/memory-journal.ts';
import { MemoryStore } from '../memory/memory-store.ts';
import { WireMeter } from './wire-meter.ts';

export interface CutOptions {
  /** Port of the broker between hub and region. */
  readonly port: number;
  readonly backlogBytes: number;
  /** Mean bytes between two cuts, which come at random; undefined: no cuts. */
  readonly bytesBetweenCuts: number | undefined;
  /** After so many cuts the link holds. */
  readonly cutsMax: number;
  readonly seed: number;
}

export interface CutResult {
  /** All that crossed the link, both ways. */
  readonly bytes: number;
  readonly cuts: number;
  readonly ops: number;
  /** Bytes on the wire by what they were for. */
  readonly byKind: Readonly<Record<string, number>>;
}

const BODY_BYTES = 8_192;
const LOOK_MS = 5;

/** Delivers the backlog; fails where it does not arrive whole. */
export async function deliverOverCuts(options: CutOptions): Promise<CutResult> {
  const random = new SeededRandom(options.seed);
  const store = new MemoryStore();
  const fatal: unknown[] = [];
  const shared = {
    mqtt: machineMqttClient,
    verify: verifyEd25519,
    clock: new MachineClock(),
    timers: machineTimers,
    random,
    log: SILENT_LOG,
    software: 'test',
    onFatal: (error: unknown): void => void fatal.push(error),
  };
  const region = await RegionalNode.open({
    ...shared,
    broker: { url: `mqtt://127.0.0.1:${options.port}` },
    storage: new EmbeddedStorage({
      ...shared,
      files: new SimFiles({ random }),
      dir: 'region',
      openStore: () => store,
    }),
    signer: REGION,
  });
  let cutsLeft = options.cutsMax;
  const wire = new WireMeter();
  const proxy = await CountingProxy.open({
    target: { host: '127.0.0.1', port: options.port },
    meter: () => wire.connection(),
    bytesUntilCut: () => {
      if (options.bytesBetweenCuts === undefined || cutsLeft === 0) return undefined;
      cutsLeft -= 1;
      // Exponential: a cut is as likely at any byte as at any other.
      return 1 + Math.floor(-options.bytesBetweenCuts * Math.log(1 - random.fraction()));
    },
  });
  const journal = new MemoryJournal();
  const ops = Math.ceil(options.backlogBytes / BODY_BYTES);
  for (let seq = 1; seq <= ops; seq++) {
    journal.append(stampedOp(seq, { body: random.bytes(BODY_BYTES) }));
  }
  const uplink = Uplink.open({
    ...shared,
    journal,
    broker: { url: `mqtt://127.0.0.1:${proxy.port}` },
    files: new SimFiles({ random }),
    dir: 'hub/uplink',
    site: SITE,
    signer: HUB,
    decide: () => ({ allowed: CLASSES, riding: CLASSES, why: 'test' }),
    link: () => 'cellular',
    syncLog: { append: () => undefined },
    energy: { transferWh: () => 0, sessionWh: () => 0, linkBytesToday: () => 0 },
    linkTimers: machineTimers,
    limits: {
      lookMs: LOOK_MS,
      lingerMs: 100,
      pauseMsMin: 1,
      pauseMsMax: 5,
      seal: { ...DEFAULT_SEAL_LIMITS, opBytesMax: 2 << 20 },
    },
  });
  const isOver = (): boolean => {
    const isIdle = uplink.status().state === 'idle';
    return fatal.length > 0 || (isIdle && uplink.receiptedLsn === journal.lastLsn);
  };
  while (!isOver()) await pause(machineTimers, LOOK_MS);
  await uplink.close();
  await region.close();
  await proxy.close();
  assert.deepEqual(fatal, []);
  assert.equal(uplink.backlog()[TELEMETRY].ops, 0);
  assert.equal(store.ops.size, ops);
  return { bytes: proxy.bytesUp + proxy.bytesDown, cuts: proxy.cuts, ops, byKind: wire.byKind() };
}

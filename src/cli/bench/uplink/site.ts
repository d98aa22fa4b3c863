/**
 * A hub's journal as a day of meters leaves it, and the uplink that follows it: the hub's own door, journal and
 * outbox, with the clock that the readings were made by.
 */
import type { Clock } from '../../../base/clock.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { originOfPublicKey } from '../../../hashes.ts';
import { Door } from '../../../ingest/door/door.ts';
import { Journal } from '../../../journal/journal.ts';
import { PLAIN_SEALER } from '../../../journal/sealer.ts';
import { Identity } from '../../../keys/identity.ts';
import { HlcClock } from '../../../model/hlc.ts';
import { MachineClock, machineTimers } from '../../../platform/clock.ts';
import { machineFiles } from '../../../platform/files/machine-files.ts';
import { machineRandom } from '../../../platform/random.ts';
import { SimClock } from '../../../platform/sim/clock.ts';
import type { MeterPublish } from './meters.ts';

export const SITE = 'bench';

const MIB = 1 << 20;
/** Publishes between two waits for the disk. */
const GROUP = 1_000;
/** The hub was started some time before the first reading. */
const UPTIME_MS = 123_456;

export interface BenchSite {
  readonly journal: Journal;
  readonly signer: Identity;
}

export async function openSite(dir: string): Promise<BenchSite> {
  const journal = await Journal.open({
    files: machineFiles,
    dir: `${dir}/journal`,
    clock: new MachineClock(),
    timers: machineTimers,
    log: SILENT_LOG,
    random: machineRandom,
    segmentBytes: 16 * MIB,
    totalBytesMax: 1_024 * MIB,
    freeBytesMin: 0,
    sealer: PLAIN_SEALER,
  });
  const path = `${dir}/keys/hub.pem`;
  return { journal, signer: Identity.open({ files: machineFiles, path, random: machineRandom }) };
}

/** Lets the publishes through the door, each at its time. */
export async function fill(site: BenchSite, publishes: readonly MeterPublish[]): Promise<void> {
  const first = publishes[0]?.atMs ?? 0;
  const clock = new SimClock(first - UPTIME_MS);
  const door = openDoor(site, clock);
  for (const [index, { atMs, topic, payload }] of publishes.entries()) {
    await clock.advance(Math.max(0, atMs - clock.wallMs()));
    const flags = { qos: 1, retain: false, dup: false, packetId: 0 } as const;
    const admission = door.admit({ topic, payload, clientId: 'bench', ...flags });
    if (admission.kind === 'refused') throw admission.fault;
    const isLast = index === publishes.length - 1;
    if (admission.kind === 'journaled' && (isLast || index % GROUP === GROUP - 1)) {
      await site.journal.whenDurable(admission.lsn);
    }
  }
}

function openDoor({ journal, signer }: BenchSite, clock: Clock): Door {
  return Door.open({
    journal,
    hub: originOfPublicKey(signer.publicKey),
    bootId: 0x5eed,
    hlc: new HlcClock(clock),
    clock,
    log: SILENT_LOG,
    capture: [],
    knownVector: new Map(),
    lingerMs: () => 0,
    unfoldable: () => undefined,
  });
}

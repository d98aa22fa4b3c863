/** What the uplink is opened with, its limits, and what it tells the status page. */
import type { Clock, Timers } from '../base/clock.ts';
import type { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { type Compressor, threadedCompressor } from '../batch/compression.ts';
import { DEFAULT_SEAL_LIMITS, type SealLimits } from '../batch/limits.ts';
import type { Signer } from '../batch/manifest.ts';
import type { PayloadRecipient, PayloadSealer } from '../batch/payload-seal.ts';
import type { Verify } from '../codec/cose.ts';
import type { Files } from '../platform/files/files.ts';
import type { MqttClient } from '../platform/network/mqtt-client.ts';
import type { DownlinkPort } from './session/downlink.ts';
import type { OutboxOptions } from './outbox.ts';
import type { Packer } from './packing/packer.ts';
import type {
  Backlog,
  BatchAudit,
  EnergyBook,
  HistoryLog,
  JournalReader,
  SyncLogWriter,
  UplinkDecision,
  Lsn,
  WayUpstream,
} from './ports.ts';
import type { Pauses } from './session/attempts.ts';
import type { UpstreamBroker } from './session/region-link.ts';
import type { LinkUse } from './session/session-book.ts';
import type { Phase } from './session/session.ts';

export interface UplinkLimits {
  /** How often the decision is looked at when nothing happens. */
  readonly lookMs: number;
  /** Least time between two batches of a class below command, within a session. */
  readonly gatherMs: number;
  /** A session stays open this long after its last work, for late receipts and newcomers. */
  readonly lingerMs: number;
  /** Without any answer for this long, a session ends. */
  readonly replyMsMax: number;
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
  /** Refused batches are tried again after this. */
  readonly refusedRetryMs: number;
  /** After so long without a session the region is asked what waits there; 0: never. */
  readonly checkInMs: number;
  /** What asking may take of a link in a day, both directions: where a session takes more, the next one is later. */
  readonly checkInBytesPerDay: number;
  readonly spoolBytesMax: number;
  readonly seal: SealLimits;
}

export const DEFAULT_UPLINK_LIMITS: UplinkLimits = {
  lookMs: 5_000,
  gatherMs: 1_000,
  lingerMs: 2_000,
  replyMsMax: 30_000,
  pauseMsMin: 5_000,
  pauseMsMax: 15 * 60_000,
  refusedRetryMs: 6 * 3_600_000,
  checkInMs: 0,
  checkInBytesPerDay: Infinity,
  spoolBytesMax: 32 << 20,
  seal: DEFAULT_SEAL_LIMITS,
};

export interface UplinkOptions {
  readonly journal: JournalReader;
  readonly files: Files;
  /** Folder of spool, progress, `forgotten` and `region.pub`. */
  readonly dir: string;
  readonly site: string;
  readonly signer: Signer;
  /** Encrypts batches to the operator's key; undefined: they are not encrypted. */
  readonly sealer?: PayloadSealer | undefined;
  /** Whose law the site's data is under; undefined: not said. */
  readonly jurisdiction?: string | undefined;
  /** Undefined: nothing is told of the hub's history. */
  readonly history?: HistoryLog | undefined;
  readonly verify: Verify;
  readonly mqtt: MqttClient;
  /** Undefined: no uplink is configured; the backlog is counted all the same. */
  readonly broker: UpstreamBroker | undefined;
  /** What the governor allows, given what waits; pure and quick. */
  readonly decide: (backlog: Backlog) => UplinkDecision;
  /** Kind of the link in use: `ethernet`, `wifi` … */
  readonly link: () => string;
  /** Undefined: an attempt is always worth it. */
  readonly way?: WayUpstream | undefined;
  /** Pauses between failed attempts on the link of this moment; those of `limits` where nothing is said. */
  readonly pauses?: () => Pauses;
  readonly audit?: BatchAudit | undefined;
  readonly syncLog: SyncLogWriter;
  readonly energy: EnergyBook;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly linkTimers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Program version, for the hello. */
  readonly software: string;
  /** Takes what comes down; undefined: nothing is asked for. */
  readonly downlink?: DownlinkPort | undefined;
  /** Opens what comes down encrypted; undefined: nothing does. */
  readonly recipient?: PayloadRecipient | undefined;
  readonly limits?: Partial<UplinkLimits>;
  readonly compressor?: Compressor;
  /** Packs large batches; undefined: nobody but the event loop does. */
  readonly packer?: Packer | undefined;
  /** Takes errors that nobody may catch: bugs, a dead disk. The process should end. */
  readonly onFatal: (error: unknown) => void;
}

export interface UplinkStatus {
  readonly state: Phase | 'off';
  readonly link: string;
  /** Wall milliseconds. */
  readonly lastReceiptMs: number | undefined;
  /** Every op at or below has its receipt, class log left out: it never opens a session for itself. */
  readonly dataReceiptedLsn: Lsn;
  /** Both directions, since midnight UTC by the wall clock. */
  readonly bytesToday: number;
  /** Since the start of the process, by kind of link. */
  readonly byLink: Readonly<Record<string, LinkUse>>;
  readonly faults: readonly HubError[];
  /** Id of the operator's key that batches are encrypted to. */
  readonly sealedTo: Uint8Array | undefined;
}

/** What the outbox takes of them. */
export function outboxOptionsOf(options: UplinkOptions): OutboxOptions {
  const { seal, spoolBytesMax } = { ...DEFAULT_UPLINK_LIMITS, ...options.limits };
  const { compressor = threadedCompressor, linkTimers: timers } = options;
  return { ...options, timers, compressor, sealLimits: seal, spoolBytesMax };
}

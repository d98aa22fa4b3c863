/** What the uplink needs of others; `hub/` hands it in. */
import type { TreeHead } from '../batch/manifest.ts';
import type { WitnessedHead } from '../batch/wire/receipt.ts';
import type { LaneRange } from '../batch/ranges.ts';
import type { OpClass } from '../model/class.ts';

export type Lsn = number;

export interface JournalCursor {
  /** Goes to the next durable entry, and makes nothing of it; false where there is none yet. */
  step(): boolean;
  /** Of the entry that `step` went to, where it lies; valid until the next call. */
  readonly lsn: Lsn;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The next durable entry; undefined where there is none yet. The bytes are valid until the next call. */
  next(): { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined;
}

export interface JournalReader {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  cursor(fromLsn: Lsn): JournalCursor;
  onDurable(listener: (durableLsn: Lsn) => void): void;
}

/** What is told upstream of the hub's signed history, and what the region says of it. */
export interface HistoryLog {
  /** The tree of a class as far as it has come. */
  head(opClass: OpClass): TreeHead;
  /** The tree of a class behind the op with these bytes, which the journal holds at or below `lsn`. */
  headBehind(opClass: OpClass, op: Uint8Array, lsn: Lsn): Promise<TreeHead | undefined>;
  /** Size of the tree of which the region has last given its word; 0 where it has of none. */
  witnessedSize(opClass: OpClass): number;
  /** Hashes of the leaves from `first` up to `until`, one behind the other. */
  leaves(opClass: OpClass, first: number, until: number): Uint8Array;
  /** Takes the region's word on the tree; false where ours says something else. */
  witnessed(opClass: OpClass, head: WitnessedHead, regionKey: Uint8Array): boolean;
}

interface ClassBacklog {
  readonly ops: number;
  /** Bytes of the journal entries, before compression. */
  readonly bytes: number;
  /** Age of the oldest op by its stamp. */
  readonly oldestMs: number;
}

/** What waits for a receipt. */
export type Backlog = Readonly<Record<OpClass, ClassBacklog>>;

/** The part of a governor's decision that the uplink obeys. */
export interface UplinkDecision {
  /** Classes for which a session may be opened now. */
  readonly allowed: readonly OpClass[];
  /** Classes that may go along once one is open. */
  readonly riding: readonly OpClass[];
  /** For a person. */
  readonly why: string;
}

type UplinkEvent = 'session.open' | 'batch.sent' | 'batch.received' | 'session.close' | 'fault';

/** A line of the power-aware sync log; whoever writes it adds the power figures. */
export interface UplinkLogEntry {
  readonly event: UplinkEvent;
  readonly link: string;
  /** Names of classes. */
  readonly allowed?: readonly string[];
  readonly bytes?: number;
  readonly ops?: number;
  readonly energyWh?: number;
  /** The same by class, on lines of batches sent. */
  readonly whByClass?: Readonly<Record<string, number>>;
  /** From the attempt to the end, in seconds; on lines that close a session. */
  readonly linkOnS?: number;
  readonly why: string;
}

export interface SyncLogWriter {
  append(entry: UplinkLogEntry): void;
}

/** The way that a session would take; links/link-tracker.ts. */
export interface WayUpstream {
  /** A route leads upstream, and no captive portal is known to be in between. */
  readonly isThere: boolean;
  /** The own upstream has answered over it, twice in short order. */
  readonly isUp: boolean;
  answered(): void;
  failed(): void;
  /** At most one listener. */
  onChange(listener: (change: 'appeared' | 'gone') => void): void;
}

/** A batch on its way, for the audit log. */
interface AuditedBatch {
  readonly id: string;
  readonly class: OpClass;
  readonly ranges: readonly LaneRange[];
  readonly fromLsn: Lsn;
  readonly throughLsn: Lsn;
  readonly ops: number;
}

/** Hears what becomes of batches. */
export interface BatchAudit {
  batched(batch: AuditedBatch): void;
  receipted(batch: AuditedBatch): void;
  refused(batch: AuditedBatch, reason: string): void;
  /** Nothing may be sent to the region, and why; told once while it is so. */
  hindered(reason: string): void;
}

/** What a session was. */
interface SessionUse {
  readonly link: string;
  /** Both directions, with all overhead that can be seen. */
  readonly linkBytes: number;
}

/** Estimates what sync costs. */
export interface EnergyBook {
  /** Wh that these bytes add to an open session. */
  transferWh(bytes: number): number;
  /** Books a finished session and says its Wh. */
  sessionWh(bytesByClass: Partial<Record<OpClass, number>>, use: SessionUse): number;
  /** What the sessions of this day took of links, both directions. */
  linkBytesToday(): number;
}

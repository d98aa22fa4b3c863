/**
 * The state of the hub as one immutable value, made anew whenever somebody asks: the page, the metrics,
 * `heliograph status` and `hub/status` all show the same figures. Its keys are a public contract
 * (`/api/v1/status`); more may be added, none may go.
 *
 * What is not known is null, never 0: an empty battery and a silent sensor are different news.
 */
import type { ClockQuality } from '../base/clock.ts';
import type { FaultCode } from '../base/errors.ts';
import type { ClassName } from '../model/class.ts';

export interface StatusSnapshot {
  readonly hubId: string;
  readonly site: string;
  readonly version: string;
  readonly uptimeS: number;
  readonly clock: {
    /** RFC 3339, by the hub's own clock; every other time here is by the same clock. */
    readonly at: string;
    readonly quality: ClockQuality;
  };
  readonly power: PowerStatus;
  readonly backlog: Readonly<Record<ClassName, ClassBacklog>>;
  readonly journal: JournalStatus;
  /** How far the state database has followed the journal. */
  readonly store: { readonly appliedLsn: number };
  readonly assets: AssetStatus;
  readonly uplink: UplinkStatus;
  readonly sync: SyncStatus;
  /** What sync is thought to have cost since midnight (UTC) or the start. */
  readonly energy: EnergyStatus;
  readonly devices: DeviceStatus;
  readonly http: HttpStatus;
  readonly peers: readonly PeerRow[];
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number | null };
  readonly flash: FlashStatus;
  readonly process: { readonly rssBytes: number; readonly cpuS: number };
  readonly security: {
    readonly mode: 'open' | 'password' | 'enrolled';
    /** Mode open on an address that others can reach. */
    readonly openLan: boolean;
  };
  /** Worst first. */
  readonly faults: readonly FaultStatus[];
}

/** Another hub of the site. */
export interface PeerRow {
  /** Null before it has said who it is. */
  readonly hubId: string | null;
  /** That this hub dials, or the name by which it has come. */
  readonly address: string;
  /** `synced`: each has all that the other may send now. */
  readonly state: 'synced' | 'syncing' | 'connecting' | 'waiting' | 'refused';
  /** Why there is no exchange now. */
  readonly reason: string | null;
  readonly lastSeenAt: string | null;
  readonly opsSent: number;
  readonly opsTaken: number;
  /** Lanes that do not get on: one side has let go of what the other lacks, or cannot fold it. */
  readonly stuckLanes: number;
}

export interface PowerStatus {
  readonly state: string;
  readonly socPct: number | null;
  readonly socErrPct: number | null;
  readonly batteryV: number | null;
  readonly pvW: number | null;
  readonly loadW: number | null;
  readonly curtailed: boolean | null;
  /** Where the figures come from; `none` on mains. */
  readonly source: string;
  /** Age of the newest reading. */
  readonly ageS: number | null;
  /** In `shutdown`: when the sun has probably filled the battery so far that sync goes on. */
  readonly backAt: string | null;
  /** Everything is sent by hand until then; `held` while the battery is too low for it. */
  readonly override: {
    readonly until: string;
    readonly who: string;
    readonly held: boolean;
  } | null;
}

/** Contents of assets on this hub. */
interface AssetStatus {
  readonly contents: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Contents of which a part has come. */
  readonly partial: number;
  readonly previews: number;
  /** Receipted contents that made room for others, since the start. */
  readonly evicted: number;
  readonly evictedBytes: number;
  /** Contents that found no room, since the start. */
  readonly refused: number;
  /** Damaged contents that lie aside. */
  readonly quarantined: number;
}

/** What the card took: status/flash-ledger.ts. */
export interface FlashStatus {
  /** Since midnight (UTC), restarts included. */
  readonly bytesToday: number;
  /** The same by cause, as counted where it is written. */
  readonly byCause: {
    readonly journal: number;
    readonly store: number;
    /** Batches that wait for their receipt. */
    readonly spool: number;
    readonly assets: number;
    /** The power-aware sync log. */
    readonly log: number;
    readonly other: number;
  };
  /** What the system counts for this process; far too much where the page cache has large folios. */
  readonly systemBytesToday: number | null;
  /** Bytes that devices sent since midnight (UTC). */
  readonly receivedToday: number;
  /** Bytes on the card for each byte that devices sent; null where they sent too few to tell. */
  readonly amplification: number | null;
  /** At the rate of the last days, for the size and endurance of a usual card; null where nothing can be said yet. */
  readonly lifeYears: number | null;
}

interface ClassBacklog {
  readonly ops: number;
  readonly bytes: number;
  /** Age of the oldest op; 0 where nothing waits. */
  readonly oldestS: number;
}

interface HealingFigures {
  /** Numbers that lanes lack; some of them may never have stood for an op. */
  readonly lackedOps: number;
  /** What the region has said of them last: nothing yet, that it gives some back, that it has none. */
  readonly region: 'unasked' | 'gives' | 'has-none';
  /** Ranges of which nothing is missing any more, while their segments are kept. */
  readonly healedRanges: number;
}

interface JournalStatus {
  readonly firstLsn: number;
  readonly lastLsn: number;
  readonly durableLsn: number;
  /** Every op at or below has its receipt, class log left out. */
  readonly receiptedLsn: number;
  /** On the disk, files that wait to be used again included. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** 0 … 1, of what is in use: as classes are refused by it. */
  readonly fillRatio: number;
  readonly quarantined: readonly { readonly fromLsn: number; readonly toLsn: number }[];
  /** Ops of class bulk that went without a receipt since the start (`on_full = "drop-bulk"`). */
  readonly dropped: { readonly ops: number; readonly bytes: number };
  readonly healing: HealingFigures;
  readonly syncs: number;
  /** Seconds that acknowledgements waited for syncs, together. */
  readonly syncS: number;
  readonly bytesWritten: number;
}

interface UplinkStatus {
  /** `off` where no uplink is configured. */
  readonly state: string;
  readonly link: string;
  readonly lastReceiptAt: string | null;
  readonly bytesToday: number;
  /** Id of the operator's key that batches are encrypted to; null: they are not encrypted. */
  readonly encryptedTo: string | null;
  readonly jurisdiction: string | null;
  /** `absent`: no route leads upstream; `portal`: a captive portal is in between; `found`; `up`: the region has answered over it. */
  readonly linkState: string;
  /** The network device; null where the machine does not tell. */
  readonly device: string | null;
  /** 0 ethernet … 4 carried: what is dear goes last. */
  readonly costClass: number;
  /** What sessions took of each kind of link since the start. */
  readonly byLink: Readonly<Record<string, LinkUseStatus>>;
  /** Of the link in use, in this month; null without one. */
  readonly quota: {
    readonly month: string;
    readonly usedBytes: number;
    readonly bytesMax: number;
  } | null;
}

interface LinkUseStatus {
  readonly sessions: number;
  readonly bytes: number;
  /** From the attempt to the end of each, added up. */
  readonly onS: number;
  /** Sessions that had a TLS handshake the less. */
  readonly resumed: number;
}

/** Where the hub stands towards the region: sync/recovery-table.ts. */
export interface SyncStatus {
  /** `in sync`, `catching up`, `behind` …: the worst that holds. */
  readonly state: string;
  readonly severity: 'wrong' | 'watch' | 'good';
  readonly meaning: string;
  /** What to do, in this order. */
  readonly steps: readonly string[];
  /** Other states that hold beside it. */
  readonly also: readonly string[];
}

interface EnergyStatus {
  readonly sessionsToday: number;
  /** Of these, those during which the load was measured: Wh they were thought to cost, and drew. Absent where there was none. */
  readonly measuredToday?: {
    readonly sessions: number;
    readonly believedWh: number;
    readonly drawnWh: number;
  };
  readonly whToday: number;
  /** The same by class: each bears its part of the sessions that it rode in. */
  readonly whByClass: Readonly<Record<ClassName, number>>;
}

interface DeviceStatus {
  readonly connected: number;
  /** As `connected`. */
  readonly clients: number;
  /** The most at once since the start. */
  readonly clientsMax: number;
  /** Sessions, of connected devices and of those that will come back. */
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retained: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages that wait for absent subscribers. */
  readonly queued: number;
  /** What they cost in memory. */
  readonly queuedBytes: number;
  /** Messages of QoS 0 that gave way because a client took too little. */
  readonly dropped: number;
  /** Messages of QoS 1 and 2 that gave way in full queues. */
  readonly cut: number;
  /** Client id of the device that one of both was for last; empty where none was. */
  readonly slowClient: string;
  /** Messages that were to be retained and found no room. */
  readonly notRetained: number;
  /** Publishes that the client's rights do not cover: acknowledged, as MQTT 3.1.1 wants, and dropped. */
  readonly denied: number;
  /** Publishes that were not taken, nor acknowledged: the journal is full or at fault. */
  readonly refused: number;
  /** Publishers that are not read at this moment, as the card is behind. */
  readonly held: number;
  /** Attempts to connect that found no room for a session (`broker.sessions_max`). */
  readonly sessionsRefused: number;
  /** Sessions that were forgotten with what waited in them (`broker.session_expiry_days`). */
  readonly sessionsExpired: number;
  /** Connections beyond `broker.connections_max`, closed at once. */
  readonly turnedAway: number;
}

interface HttpStatus {
  /** Connections beyond `http.connections_max`, closed at once. */
  readonly turnedAway: number;
}

export interface FaultStatus {
  readonly code: FaultCode;
  /** What happened, where. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
  readonly since: string;
}

/** Whether devices are served and the journal is writable; the reasons where not. */
export interface Health {
  readonly ok: boolean;
  readonly reasons: readonly string[];
}

/** A hub's status on an ordinary afternoon, for tests of what shows it. */
import { SILENT_LOG } from '../../../src/base/log.ts';
import { jsonOfCbor, type JsonValue } from '../../../src/codec/json.ts';
import type { SimClock } from '../../../src/platform/sim/clock.ts';
import type { AssetDoor } from '../../../src/status/api/assets.ts';
import type { BundleDoor } from '../../../src/status/api/bundle.ts';
import type { ApiOptions, LogLine, PowerSourceRow } from '../../../src/status/api/api.ts';
import type { Override } from '../../../src/status/api/override.ts';
import type { ReadingPoint } from '../../../src/status/api/readings.ts';
import type { StatusSnapshot } from '../../../src/status/snapshot.ts';
import type { RecordDoor } from '../../../src/status/api/records.ts';
import type { TransparencyLog } from '../../../src/status/api/transparency.ts';

export const NOON_MS = Date.parse('2026-03-01T12:00:00Z');

export function sampleStatus(change: Partial<StatusSnapshot> = {}): StatusSnapshot {
  const nothing = { ops: 0, bytes: 0, oldestS: 0 };
  return {
    hubId: 'a1b2c3d4e5f60718',
    site: 'north-ridge',
    version: '0.1.0',
    uptimeS: 273_600,
    clock: { at: '2026-03-01T12:00:00.000Z', quality: 'ntp' },
    power: {
      state: 'normal',
      socPct: 64.4,
      socErrPct: 3,
      batteryV: 13.24,
      pvW: 41,
      loadW: 3.6,
      curtailed: false,
      source: 've-direct:/dev/ttyUSB0',
      ageS: 2,
      backAt: null,
      override: null,
    },
    backlog: {
      alarm: nothing,
      command: nothing,
      record: { ops: 12, bytes: 3400, oldestS: 340 },
      telemetry: { ops: 4821, bytes: 1_204_000, oldestS: 5400 },
      preview: nothing,
      bulk: { ops: 38, bytes: 61_000_000, oldestS: 93_600 },
      log: { ops: 410, bytes: 164_000, oldestS: 9000 },
    },
    journal: {
      firstLsn: 88_000,
      lastLsn: 102_345,
      durableLsn: 102_340,
      receiptedLsn: 97_474,
      bytes: 402_653_184,
      bytesMax: 4_294_967_296,
      fillRatio: 0.095,
      quarantined: [],
      dropped: { ops: 0, bytes: 0 },
      healing: { lackedOps: 0, region: 'unasked', healedRanges: 0 },
      syncs: 5021,
      syncS: 12.5,
      bytesWritten: 41_000_000,
    },
    store: { appliedLsn: 102_340 },
    assets: {
      contents: 12,
      bytes: 40_000_000,
      bytesMax: 2_147_483_648,
      partial: 1,
      previews: 11,
      evicted: 2,
      evictedBytes: 9_000_000,
      refused: 0,
      quarantined: 0,
    },
    uplink: {
      state: 'idle',
      link: 'cellular',
      lastReceiptAt: '2026-03-01T11:48:00.000Z',
      bytesToday: 3_400_000,
      encryptedTo: 'a1b2c3d4e5f60718',
      jurisdiction: null,
      linkState: 'up',
      device: 'wwan0',
      costClass: 2,
      byLink: { cellular: { sessions: 12, bytes: 3_400_000, onS: 94.5, resumed: 11 } },
      quota: { month: '2026-03', usedBytes: 41_000_000, bytesMax: 104_857_600 },
    },
    sync: {
      state: 'catching up',
      severity: 'good',
      meaning: 'Everything is on its way.',
      steps: ['Nothing to do.'],
      also: [],
    },
    energy: {
      sessionsToday: 7,
      measuredToday: { sessions: 2, believedWh: 0.21, drawnWh: 0.19 },
      whToday: 0.42,
      whByClass: {
        alarm: 0.01,
        command: 0,
        record: 0.11,
        telemetry: 0.25,
        preview: 0,
        bulk: 0.05,
        log: 0,
      },
    },
    devices: {
      connected: 11,
      clients: 11,
      clientsMax: 13,
      sessions: 14,
      subscriptions: 31,
      retained: 9,
      messagesIn: 102_000,
      messagesOut: 9800,
      bytesIn: 24_000_000,
      bytesOut: 2_000_000,
      queued: 120,
      queuedBytes: 960,
      dropped: 2,
      cut: 3,
      slowClient: 'tablet-2',
      notRetained: 1,
      denied: 0,
      refused: 0,
      held: 0,
      sessionsRefused: 4,
      sessionsExpired: 1,
      turnedAway: 0,
    },
    http: { turnedAway: 0 },
    peers: [],
    disk: { freeBytes: 21_474_836_480, totalBytes: 31_000_000_000 },
    flash: {
      bytesToday: 88_000_000,
      byCause: {
        journal: 50_000_000,
        store: 30_000_000,
        spool: 5_000_000,
        assets: 0,
        log: 2_900_000,
        other: 100_000,
      },
      systemBytesToday: 91_000_000,
      receivedToday: 24_000_000,
      amplification: 3.67,
      lifeYears: 61.5,
    },
    process: { rssBytes: 83_000_000, cpuS: 412.5 },
    security: { mode: 'open', openLan: false },
    faults: [],
    ...change,
  };
}

export interface SampleLine extends LogLine {
  readonly event: string;
  readonly why?: string;
  readonly state?: string;
  readonly numbers?: Readonly<Record<string, number>>;
}

export const NO_ASSETS: AssetDoor = {
  latest: () => [],
  facts: () => undefined,
  open: () => Promise.resolve(undefined),
  preview: () => Promise.resolve({ kind: 'never', reason: 'not here' }),
  receive: () => Promise.resolve({ kind: 'refused', status: 507, reason: 'not here' }),
};
const NO_LEDGER: TransparencyLog = {
  checkpoint: () => '',
  verifierKey: () => '',
  cosigned: () => undefined,
  since: () => undefined,
  tile: () => undefined,
  locate: () => Promise.resolve(undefined),
  prove: () => undefined,
};
const NO_BUNDLE: BundleDoor = {
  handOut: () => Promise.resolve({ hello: { topic: '', payload: new Uint8Array() } }),
  messages: () => [],
  carried: () => [],
  take: () => ({}),
};

/** Everything that the API needs, held in memory; a test changes what it is about. */
export class SampleSources {
  readonly clock: SimClock;
  status = sampleStatus();
  health = { ok: true, reasons: [] as string[] };
  readonly lines: SampleLine[] = [
    { at: '2026-03-01T11:40:00.000Z', event: 'decision', state: 'saver', why: 'photos wait' },
    { at: '2026-03-01T11:48:00.000Z', event: 'decision', state: 'normal', why: 'records go' },
  ];
  readonly listeners = new Set<(line: LogLine) => void>();
  readonly records = new Map<string, ReadonlyMap<string, { readonly value: Uint8Array }>>();
  readonly readings: ReadingPoint[] = [];
  readonly sources: PowerSourceRow[] = [];
  override: Override | undefined;
  /** The battery is too low for one. */
  isHeld = false;
  /** As `/api/v1/conflicts` lists them; empty once one was resolved. */
  conflicts: Record<string, JsonValue>[] = [];
  readonly resolved: { readonly key: string; readonly value: unknown }[] = [];
  /** Readings in one page. */
  pageSize = 2;

  constructor(clock: SimClock) {
    this.clock = clock;
  }

  say(line: SampleLine): void {
    this.lines.push(line);
    for (const listener of this.listeners) listener(line);
  }

  /** Only `get` has something to say; how records are mended is tested in unit/hub/records.test.ts. */
  #recordDoor(): RecordDoor {
    const refused = { kind: 'refused', reason: 'not here' } as const;
    return {
      get: (key) => {
        const fields = this.records.get(key);
        if (fields === undefined) return undefined;
        const shown = [...fields].map(([name, { value }]) => [name, jsonOfCbor(value)] as const);
        return { fields: Object.fromEntries(shown), counters: {} };
      },
      doc: () => undefined,
      keys: (prefix, after, limit) =>
        [...this.records.keys()]
          .filter((key) => key.startsWith(prefix) && key > after)
          .toSorted()
          .slice(0, limit),
      history: () => [],
      conflicts: () => ({ conflicts: this.conflicts }),
      undo: () => Promise.resolve(refused),
      resolve: ({ key, ...shall }) => {
        this.resolved.push({ key, value: 'value' in shall ? shall.value : shall.take });
        this.conflicts = [];
        return Promise.resolve({ kind: 'done', answer: { key } });
      },
    };
  }

  options(change: Partial<ApiOptions> = {}): ApiOptions {
    return {
      snapshot: () => this.status,
      health: () => this.health,
      digest: () => Promise.resolve({ digest: '00'.repeat(32), ops: 0, records: 0 }),
      syncLog: {
        lines: ({ sinceMs = 0, limit = 1000 }) =>
          this.lines.filter(({ at }) => Date.parse(at) >= sinceMs).slice(-limit),
        follow: (listener) => {
          this.listeners.add(listener);
          return () => this.listeners.delete(listener);
        },
      },
      records: this.#recordDoor(),
      assets: NO_ASSETS,
      readings: ({ fromMs, toMs }) => {
        const found = this.readings.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
        return { points: found.slice(0, this.pageSize), nextFromMs: found[this.pageSize]?.atMs };
      },
      powerSince: () => [],
      powerSources: () => this.sources,
      holes: { isLooking: () => false, list: () => [], close: () => ({ ops: 0, ranges: 0 }) },
      override: {
        begin: (durationMs, who) => {
          const untilMs = this.clock.wallMs() + durationMs;
          const { isHeld } = this;
          this.override = durationMs === 0 ? undefined : { untilMs, who, isHeld };
          // A status that knew nothing of it would take it back on the page.
          const until = new Date(untilMs).toISOString();
          const shown = durationMs === 0 ? null : { until, who, held: isHeld };
          this.status = sampleStatus({ power: { ...this.status.power, override: shown } });
        },
        current: () => this.override,
      },
      ledger: NO_LEDGER,
      bundle: NO_BUNDLE,
      page: { answer: () => undefined },
      clock: this.clock,
      timers: this.clock,
      log: SILENT_LOG,
      ...change,
    };
  }
}

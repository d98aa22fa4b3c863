/** What is measured: each scenario is the same load for every broker. */

/** A load as the generator takes it; times in seconds. */
export interface Load {
  readonly publishers: number;
  readonly qos: 0 | 1;
  readonly payloadBytes: number;
  /** Unacknowledged messages of one connection. */
  readonly window: number;
  /** Messages a second of one connection; 0: as fast as acknowledgements come back. */
  readonly ratePerS: number;
  readonly subscriber: 'none' | 'live' | 'offline';
  /** How far publishers may run ahead of the live subscriber, all together. */
  readonly aheadMax: number;
  /** 0: for `seconds`; otherwise until so many are acknowledged. */
  readonly messages: number;
  /** The offline subscriber comes back at the end, and how fast it gets what waits is the result; once before that to warm up. */
  readonly drains: boolean;
  readonly warmupS: number;
  /** How many times as fast a paced load goes while it warms up. */
  readonly warmupHaste: number;
  readonly seconds: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What the rivals are compared by. */
  readonly measure: 'msgsPerS' | 'deliveredPerS' | 'drainedPerS' | 'cpuS';
  readonly load: Load;
  /**
   * Processor and flash are what counts, of a broker that has run for a while: telemetry may wait for company, and the rival keeps its
   * messages on disk too. What it takes to connect, and to warm up, is not in the figures; a just-in-time compiler is done with this
   * load after some 100,000 messages, so the warm-up hastes.
   */
  readonly isThrifty?: true;
}

/** How long telemetry may wait for company where thrift is measured. */
export const THRIFTY_LINGER_MS = 100;

export const PLAIN: Load = {
  publishers: 20,
  qos: 1,
  payloadBytes: 200,
  window: 20,
  ratePerS: 0,
  subscriber: 'none',
  aheadMax: 20_000,
  messages: 0,
  drains: false,
  warmupS: 1,
  warmupHaste: 1,
  seconds: 5,
};

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'window20',
    title: '20 connections, window 20, QoS 1',
    measure: 'msgsPerS',
    load: PLAIN,
  },
  {
    name: 'window1',
    title: '20 connections, window 1, QoS 1',
    measure: 'msgsPerS',
    load: { ...PLAIN, window: 1 },
  },
  {
    name: 'thousand',
    title: `1,000 connections, 1 msg/s each, QoS 1, linger ${THRIFTY_LINGER_MS} ms`,
    measure: 'cpuS',
    isThrifty: true,
    load: { ...PLAIN, publishers: 1_000, ratePerS: 1, warmupS: 20, warmupHaste: 5, seconds: 20 },
  },
  {
    name: 'offline',
    title: 'window 20 with an offline QoS 1 subscriber',
    measure: 'msgsPerS',
    load: { ...PLAIN, subscriber: 'offline' },
  },
  {
    name: 'fanout0',
    title: 'QoS 0, 20 publishers, one subscriber',
    measure: 'deliveredPerS',
    load: { ...PLAIN, qos: 0, window: 50, subscriber: 'live' },
  },
  {
    name: 'live1',
    title: 'QoS 1 to a live QoS 1 subscriber',
    measure: 'deliveredPerS',
    load: { ...PLAIN, subscriber: 'live' },
  },
  {
    name: 'drain',
    title: '100,000 stored messages to a returning subscriber',
    measure: 'drainedPerS',
    load: { ...PLAIN, subscriber: 'offline', messages: 100_000, drains: true, warmupS: 0 },
  },
];

/** What `bench ingest` runs where nothing is named: the door; the others are about delivery. */
export const INGEST_NAMES = ['window20', 'window1', 'thousand'] as const;

/** What the generator prints when it begins to measure. */
export const WARM_LINE = 'warm';

/** What the generator tells at the end. */
export interface LoadResult {
  /** Acknowledged (QoS 1) or sent (QoS 0) while it measured, and how long that was. */
  readonly messages: number;
  readonly seconds: number;
  /** All that were, warm-up included. */
  readonly total: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  /** Acknowledgements that came in another order than their publishes. */
  readonly outOfOrder: number;
  readonly delivered: number;
  readonly drained: number;
  readonly drainSeconds: number;
}

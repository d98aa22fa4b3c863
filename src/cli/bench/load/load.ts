/**
 * The load generator: one run of one load against one broker, in a process of its own so that it shares no
 * event loop with what it measures (`heliograph bench load SPEC`, started by measure.ts).
 */
import { type Clock, pause, type Timers } from '../../../base/clock.ts';
import { Latencies } from './latencies.ts';
import { pace, Publisher, type Tally } from './publisher.ts';
import type { Load, LoadResult } from '../scenarios.ts';
import { Subscriber } from './subscriber.ts';

interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly load: Load;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Called when it begins to measure. */
  readonly onWarm: () => void;
}

/** How long what is on its way at the end may take. */
const REST_MS_MAX = 60_000;
const POLL_MS = 5;
/** Connections that are being made at the same time: a listen queue is 128 long on many machines. */
const CONNECTING_MAX = 50;

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const run = new LoadRun(options);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class LoadRun {
  readonly #options: LoadOptions;
  readonly #load: Load;
  readonly #tally: Tally;
  readonly #publishers: Publisher[] = [];
  #subscriber: Subscriber | undefined;
  #started = 0;
  #delivered = 0;
  #lost: Error | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#load = options.load;
    this.#tally = {
      acknowledged: 0,
      outOfOrder: 0,
      isMeasuring: false,
      latencies: new Latencies(),
      allow: (wanted) => this.#allow(wanted),
    };
  }

  async run(): Promise<LoadResult> {
    await this.#connect();
    if (this.#load.drains) await this.#warmDelivery();
    const stopPacing = await this.#warm();
    const before = { ...this.#counts(), atMs: this.#nowMs() };
    this.#tally.isMeasuring = true;
    this.#options.onWarm();
    await this.#untilEnough();
    const after = { ...this.#counts(), atMs: this.#nowMs() };
    this.#tally.isMeasuring = false;
    stopPacing();
    await this.#stop();
    const drain = this.#load.drains ? await this.#drain() : { drained: 0, drainSeconds: 0 };
    const [ackP50Ms = 0, ackP99Ms = 0] = this.#tally.latencies.percentilesMs([0.5, 0.99]);
    return {
      messages: after.acknowledged - before.acknowledged,
      seconds: (after.atMs - before.atMs) / 1_000,
      total: this.#tally.acknowledged,
      ackP50Ms,
      ackP99Ms,
      outOfOrder: this.#tally.outOfOrder,
      delivered: after.delivered - before.delivered,
      ...drain,
    };
  }

  close(): void {
    for (const publisher of this.#publishers) publisher.close();
    this.#subscriber?.close();
  }

  async #connect(): Promise<void> {
    const { host, port, clock } = this.#options;
    if (this.#load.subscriber !== 'none') {
      this.#subscriber = await this.#openSubscriber();
      await this.#subscriber.subscribe();
      if (this.#load.subscriber === 'offline') this.#subscriber.leave();
    }
    const onLost = (reason: Error): void => {
      this.#lost ??= reason;
    };
    for (let first = 0; first < this.#load.publishers; first += CONNECTING_MAX) {
      const count = Math.min(CONNECTING_MAX, this.#load.publishers - first);
      const opened = Array.from({ length: count }, (_, offset) =>
        Publisher.open(
          { host, port, index: first + offset },
          { load: this.#load, clock, tally: this.#tally, onLost },
        ),
      );
      this.#publishers.push(...(await Promise.all(opened)));
    }
  }

  #openSubscriber(): Promise<Subscriber> {
    return Subscriber.open({
      host: this.#options.host,
      port: this.#options.port,
      qos: this.#load.qos,
      clean: this.#load.subscriber === 'live',
      onDelivered: (delivered) => {
        this.#delivered = delivered;
        for (const publisher of this.#publishers) publisher.pump();
      },
    });
  }

  /** Runs as long as does not count, a paced load in haste, and goes on at the load's own pace. */
  async #warm(): Promise<() => void> {
    const { ratePerS, warmupS, warmupHaste } = this.#load;
    const stopPacing = this.#start(ratePerS * warmupHaste);
    await this.#pause(warmupS * 1_000);
    if (ratePerS === 0 || warmupHaste === 1) return stopPacing;
    stopPacing();
    return this.#start();
  }

  #start(ratePerS = this.#load.ratePerS): () => void {
    if (ratePerS > 0) return pace(this.#publishers, ratePerS, this.#options);
    for (const publisher of this.#publishers) publisher.start();
    return () => undefined;
  }

  async #stop(): Promise<void> {
    for (const publisher of this.#publishers) publisher.stop();
    await this.#until(() => this.#isQuiet());
  }

  /** True while no publish waits for its acknowledgement. */
  #isQuiet(): boolean {
    return this.#publishers.every((publisher) => publisher.pending === 0);
  }

  /** A round that does not count: a broker that has run for a while has delivered before. */
  async #warmDelivery(): Promise<void> {
    this.#start();
    await this.#untilEnough();
    await this.#stop();
    await this.#drain();
    this.#subscriber?.leave();
    this.#started = 0;
  }

  #allow(wanted: number): number {
    const { messages, subscriber, aheadMax } = this.#load;
    let allowed = wanted;
    if (messages > 0) allowed = Math.min(allowed, messages - this.#started);
    if (subscriber === 'live')
      allowed = Math.min(allowed, this.#delivered + aheadMax - this.#started);
    allowed = Math.max(0, allowed);
    this.#started += allowed;
    return allowed;
  }

  async #untilEnough(): Promise<void> {
    const { messages, seconds } = this.#load;
    if (messages === 0) await this.#pause(seconds * 1_000);
    else await this.#until(() => this.#started === messages && this.#isQuiet());
  }

  async #drain(): Promise<{ drained: number; drainSeconds: number }> {
    const startMs = this.#nowMs();
    this.#delivered = 0;
    this.#subscriber = await this.#openSubscriber();
    await this.#until(() => this.#delivered >= this.#load.messages);
    return { drained: this.#delivered, drainSeconds: (this.#nowMs() - startMs) / 1_000 };
  }

  #counts(): { acknowledged: number; delivered: number } {
    return { acknowledged: this.#tally.acknowledged, delivered: this.#delivered };
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  async #pause(durationMs: number): Promise<void> {
    await pause(this.#options.timers, durationMs);
    if (this.#lost !== undefined) throw this.#lost;
  }

  async #until(holds: () => boolean): Promise<void> {
    const endMs = this.#nowMs() + REST_MS_MAX;
    while (!holds()) {
      if (this.#nowMs() > endMs) throw new Error(`the broker did not answer for ${REST_MS_MAX} ms`);
      await this.#pause(POLL_MS);
    }
  }
}

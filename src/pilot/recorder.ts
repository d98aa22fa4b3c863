/** What a pilot shows afterwards: samples every quarter of an hour, the sync log's lines, faults and brownouts. */
import { CLASSES } from '../model/class.ts';
import type { SimSite } from '../platform/sim/site.ts';
import type { Backlog } from '../power/backlog.ts';
import type { SyncLogLine } from '../power/log/sync-log.ts';

export interface Sample {
  /** True time. */
  readonly atMs: number;
  readonly socPct: number;
  readonly pvW: number;
  readonly loadW: number;
  /** Wh that the radio has taken since the start. */
  readonly radioWh: number;
  /** Ops by class, alarm first. */
  readonly backlog: readonly number[];
  readonly state: string;
}

/** A line of the hub's own log, at its true time. */
export interface Line {
  readonly atMs: number;
  readonly event: string;
  readonly state: string;
  readonly socPct: number | undefined;
  readonly energyWh: number | undefined;
  readonly ops: number | undefined;
  readonly why: string;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly text: string;
}

/** A fault, and whether nothing could reach the region meanwhile. */
export interface FaultSpan extends Span {
  readonly isAway: boolean;
}

const LINES_MAX = 20_000;

export class Recorder {
  readonly samples: Sample[] = [];
  readonly lines: Line[] = [];
  readonly faults: FaultSpan[] = [];
  readonly brownouts: Span[] = [];
  /** Lines beyond what is kept. */
  linesDropped = 0;
  /** Lines that tell of a session's begin. */
  opens = 0;
  #downSinceMs: number | undefined;

  sample(
    atMs: number,
    site: SimSite,
    more: { radioWh: number; backlog: Backlog | undefined; state: string },
  ): void {
    const { socRatio, pvWatts, loadWatts } = site.measure();
    const before = this.samples.at(-1)?.backlog;
    const backlog = more.backlog;
    this.samples.push({
      atMs,
      socPct: 100 * socRatio,
      pvW: pvWatts,
      loadW: loadWatts,
      radioWh: more.radioWh,
      backlog:
        backlog === undefined
          ? (before ?? CLASSES.map(() => 0))
          : CLASSES.map((it) => backlog[it].ops),
      state: more.state,
    });
  }

  line(atMs: number, line: SyncLogLine): void {
    if (line.event === 'session.open') this.opens += 1;
    if (this.lines.length >= LINES_MAX) {
      this.linesDropped += 1;
      return;
    }
    const { event, state = '', socPct, energyWh, ops, why = '' } = line;
    this.lines.push({ atMs, event, state, socPct, energyWh, ops, why });
  }

  fault(atMs: number, minutes: number, text: string, isAway: boolean): void {
    this.faults.push({ fromMs: atMs, toMs: atMs + minutes * 60_000, text, isAway });
  }

  /** For how long the region was out of reach, whatever the hub did. */
  get awayMs(): number {
    let untilMs = -Infinity;
    let sumMs = 0;
    for (const { fromMs, toMs, isAway } of this.faults) {
      if (!isAway || toMs <= untilMs) continue;
      sumMs += toMs - Math.max(fromMs, untilMs);
      untilMs = toMs;
    }
    return sumMs;
  }

  /** Whether it was so at some moment between the two. */
  wasAway(fromMs: number, toMs: number): boolean {
    return this.faults.some((it) => it.isAway && it.fromMs < toMs && it.toMs > fromMs);
  }

  power(atMs: number, isOn: boolean): void {
    if (!isOn) this.#downSinceMs ??= atMs;
    else if (this.#downSinceMs !== undefined) {
      this.brownouts.push({ fromMs: this.#downSinceMs, toMs: atMs, text: 'the site is dark' });
      this.#downSinceMs = undefined;
    }
  }

  end(atMs: number): void {
    this.power(atMs, true);
  }
}

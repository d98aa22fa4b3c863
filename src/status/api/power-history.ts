/**
 * The last day of power, one sample a minute, for the chart of the page. In memory and bounded: after a
 * restart the sync log's lines give a rough past (`seed`), and new samples follow.
 */
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import { jsonAnswer } from '../http/answers.ts';
import { timeIn } from '../http/time-parameter.ts';

export interface PowerSample {
  readonly atMs: number;
  readonly socPct: number | null;
  readonly batteryV: number | null;
  readonly pvW: number | null;
  readonly loadW: number | null;
}

/** A line of the sync log, as far as it matters here. */
interface PowerLine {
  readonly at: string;
  readonly socPct?: number;
  readonly batteryV?: number;
  readonly pvW?: number;
  readonly loadW?: number;
}

interface PowerPast {
  powerSince(sinceMs: number): readonly PowerSample[];
  readonly clock: Pick<Clock, 'wallMs'>;
}

const DAY_MS = 86_400_000;
const PERIOD_MS = 60_000;
const SAMPLES_MAX = 24 * 60;

export class PowerHistory {
  #samples: PowerSample[] = [];
  readonly #stop: Cancel;

  /** Takes a sample now and every minute of `timers`. */
  constructor(timers: Timers, sample: () => PowerSample) {
    this.#add(sample());
    this.#stop = timers.every(PERIOD_MS, () => this.#add(sample()));
  }

  /** Puts the past before what is known already. */
  seed(lines: Iterable<PowerLine>): void {
    const firstMs = this.#samples[0]?.atMs ?? Number.POSITIVE_INFINITY;
    const past: PowerSample[] = [];
    for (const line of lines) {
      const atMs = wallMsOfIso(line.at);
      const beforeMs = past.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;
      if (atMs === undefined || atMs >= firstMs || atMs - beforeMs < PERIOD_MS) continue;
      const { socPct = null, batteryV = null, pvW = null, loadW = null } = line;
      past.push({ atMs, socPct, batteryV, pvW, loadW });
    }
    this.#samples = [...past, ...this.#samples].slice(-SAMPLES_MAX);
  }

  /** Oldest first. */
  since(sinceMs: number): readonly PowerSample[] {
    return this.#samples.filter((sample) => sample.atMs >= sinceMs);
  }

  close(): void {
    this.#stop();
  }

  /** A clock that was set back would fold the line over: what lies in the new future is forgotten. */
  #add(sample: PowerSample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && last.atMs >= sample.atMs) {
      this.#samples = this.#samples.filter(({ atMs }) => atMs < sample.atMs);
    }
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }
}

/** `?since=`: columns for a chart; the last day unless said. */
export function powerAnswer(past: PowerPast, url: URL): Response {
  const since = timeIn(url, 'since', past.clock.wallMs());
  if (since instanceof Response) return since;
  const samples = past.powerSince(since ?? past.clock.wallMs() - DAY_MS);
  return jsonAnswer({
    at: samples.map(({ atMs }) => isoTime(atMs)),
    socPct: samples.map(({ socPct }) => socPct),
    batteryV: samples.map(({ batteryV }) => batteryV),
    pvW: samples.map(({ pvW }) => pvW),
    loadW: samples.map(({ loadW }) => loadW),
  });
}

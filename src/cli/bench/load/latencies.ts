/** Samples of latency: kept as they come, up to a limit, and sorted once at the end. */
const SAMPLES_MAX = 4_000_000;

export class Latencies {
  readonly #samplesMs = new Float32Array(SAMPLES_MAX);
  #count = 0;

  add(latencyMs: number): void {
    if (this.#count === SAMPLES_MAX) return;
    this.#samplesMs[this.#count] = latencyMs;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** The values below which these parts of all samples lie; 0 where there is no sample. */
  percentilesMs(ratios: readonly number[]): number[] {
    const sorted = this.#samplesMs.subarray(0, this.#count).toSorted();
    return ratios.map((ratio) => sorted[Math.ceil(ratio * this.#count) - 1] ?? 0);
  }
}

/** The middle one, or the mean of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** What a few thousand values come to; zeros where there is none. */
export interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return { median: at(0.5), p99: at(0.99), max: at(1) };
}

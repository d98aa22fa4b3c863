import type { Random } from './random.ts';

/** Delays that double from `firstMs` to `mostMs`, each spread by a quarter so that hubs do not march in step. */
export class Backoff {
  #firstMs: number;
  #mostMs: number;
  readonly #random: Random;
  #failures = 0;

  constructor(firstMs: number, mostMs: number, random: Random) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#random = random;
  }

  nextMs(): number {
    const plainMs = Math.min(this.#mostMs, this.#firstMs * 2 ** Math.min(this.#failures, 40));
    this.#failures += 1;
    return plainMs * (0.75 + 0.5 * this.#random.fraction());
  }

  /** Other limits from the next pause on; how often it failed counts all the same. */
  adapt(firstMs: number, mostMs: number): void {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  reset(): void {
    this.#failures = 0;
  }
}

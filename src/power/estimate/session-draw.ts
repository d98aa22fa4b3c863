/**
 * What a session really drew, where the load is measured: what stands above the site's own load while it runs. A
 * figure beside the believed one, never in its place: a load that is switched on just then is in it, too.
 */

/** Fewer readings than this say nothing of a session that is over in seconds. */
const SAMPLES_MIN = 3;
const HOUR_MS = 3_600_000;

interface Draw {
  readonly readingAtMs: number;
  readonly atMs: number;
  readonly aboveW: number;
}

export class SessionDraw {
  #last: Draw | undefined;
  #samples = 0;
  #wattMs = 0;
  #isWhole = true;

  /** A look at the load, with the moment of its reading; where none is measured, the session goes without a figure. */
  look(nowMs: number, readingAtMs: number, loadW: number | undefined, baseW: number): void {
    this.#pass(nowMs);
    if (loadW === undefined) {
      this.#isWhole = false;
      return;
    }
    if (this.#last?.readingAtMs !== readingAtMs) this.#samples += 1;
    this.#last = { readingAtMs, atMs: nowMs, aboveW: loadW - baseW };
  }

  /** Wh above the site's own load; undefined where too little was measured. */
  end(nowMs: number): number | undefined {
    this.#pass(nowMs);
    if (!this.#isWhole || this.#samples < SAMPLES_MIN) return undefined;
    return Math.max(0, this.#wattMs) / HOUR_MS;
  }

  #pass(nowMs: number): void {
    if (this.#last === undefined) return;
    this.#wattMs += this.#last.aboveW * (nowMs - this.#last.atMs);
    this.#last = { ...this.#last, atMs: nowMs };
  }
}

/** Pieces of work in the order in which they came, so many at a time. */
export class WorkQueue {
  readonly #atOnce: number;
  readonly #onError: (error: unknown) => void;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #idlers: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number, onError: (error: unknown) => void) {
    this.#atOnce = atOnce;
    this.#onError = onError;
  }

  /** Pieces that have not begun. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The owner limits how much it adds. */
  add(work: () => Promise<void>): void {
    this.#waiting.push(work);
    this.#next();
  }

  /** The same for who waits for the outcome, and takes its errors. */
  ask<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.add(() => work().then(resolve, reject));
    });
  }

  /** Resolves when nothing runs or waits. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }

  #next(): void {
    while (this.#running < this.#atOnce) {
      const work = this.#waiting.shift();
      if (work === undefined) break;
      this.#running += 1;
      void this.#run(work);
    }
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#onError(error);
    }
    this.#running -= 1;
    this.#next();
    if (this.#running > 0) return;
    for (const resolve of this.#idlers.splice(0)) resolve();
  }
}

/** What a door has taken by its key, as long as the store has not folded it. */
interface Folded {
  readonly appliedLsn: number;
}

interface Sum<T> {
  readonly lsn: number;
  readonly sum: T;
  readonly weight: number;
}

/** With so much more than at the last look, it is looked what has been folded since. */
const LOOK_AFTER = 10_000;
/** Where the store stands still, what has come goes uncounted from here on: a limit is passed by so much, and memory is not. */
const WEIGHT_MAX = 100_000;

export class Coming<T> {
  readonly #store: Folded;
  readonly #byKey = new Map<string, Sum<T>>();
  /** Of all keys together. */
  #weight = 0;
  #lookAt = LOOK_AFTER;

  constructor(store: Folded) {
    this.#store = store;
  }

  /** What has come of the key; undefined where all of it is folded. */
  of(key: string): T | undefined {
    const coming = this.#byKey.get(key);
    if (coming === undefined || coming.lsn > this.#store.appliedLsn) return coming?.sum;
    this.#byKey.delete(key);
    this.#weight -= coming.weight;
    return undefined;
  }

  /** Something of the key lies there; `sum` is what has come by now, in so many pieces. */
  note(key: string, lsn: number, sum: T, pieces = 1): void {
    this.#weight += pieces - (this.#byKey.get(key)?.weight ?? 0);
    this.#byKey.set(key, { lsn, sum, weight: pieces });
    if (this.#weight >= this.#lookAt) this.#forgetFolded();
  }

  #forgetFolded(): void {
    for (const key of this.#byKey.keys()) this.of(key);
    if (this.#weight >= WEIGHT_MAX) {
      this.#byKey.clear();
      this.#weight = 0;
    }
    this.#lookAt = Math.min(this.#weight + LOOK_AFTER, WEIGHT_MAX);
  }
}

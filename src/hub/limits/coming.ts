/** What a door has taken by its key, as long as the store has not folded it. */
interface Folded {
  readonly appliedLsn: number;
}

/** With so many keys more than at the last look, it is looked what has been folded since. */
const LOOK_AFTER = 1_000;
/** Where the store stands still, what has come goes uncounted from here on: a limit is passed by so much, and memory is not. */
const KEYS_MAX = 5_000;

export class Coming<T> {
  readonly #store: Folded;
  readonly #byKey = new Map<string, { readonly lsn: number; readonly sum: T }>();
  #lookAt = LOOK_AFTER;

  constructor(store: Folded) {
    this.#store = store;
  }

  /** What has come of the key; undefined where all of it is folded. */
  of(key: string): T | undefined {
    const coming = this.#byKey.get(key);
    if (coming === undefined || coming.lsn > this.#store.appliedLsn) return coming?.sum;
    this.#byKey.delete(key);
    return undefined;
  }

  /** Something of the key lies there; `sum` is what has come by now. */
  note(key: string, lsn: number, sum: T): void {
    this.#byKey.set(key, { lsn, sum });
    if (this.#byKey.size >= this.#lookAt) this.#forgetFolded();
  }

  #forgetFolded(): void {
    for (const key of this.#byKey.keys()) this.of(key);
    if (this.#byKey.size >= KEYS_MAX) this.#byKey.clear();
    this.#lookAt = this.#byKey.size + LOOK_AFTER;
  }
}

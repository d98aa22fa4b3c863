/** What was opened, closed in reverse. */
export interface Closable {
  close(): void | Promise<void>;
}

export class Closers {
  readonly #open: Closable[] = [];

  /** Notes a part that is open now, and returns it. */
  add<T extends Closable>(part: T): T {
    this.#open.push(part);
    return part;
  }

  /** Closes all parts, the newest first; a second call does nothing. */
  async close(): Promise<void> {
    for (let part = this.#open.pop(); part !== undefined; part = this.#open.pop())
      await part.close();
  }
}

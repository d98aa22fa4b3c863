/** What was opened, closed in reverse. */
interface Closable {
  close(): void | Promise<void>;
}

export class Closers {
  readonly #open: Closable[] = [];

  /** Notes a part that is open now, and returns it. */
  add<T extends Closable>(part: T): T {
    this.#open.push(part);
    return part;
  }

  /**
   * Closes all parts, the newest first, also behind one that fails; throws what failed first. A second call does
   * nothing.
   */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let part = this.#open.pop(); part !== undefined; part = this.#open.pop()) {
      try {
        await part.close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/**
 * What `open` opens; where a part cannot, closes those that are open and throws why. What fails in closing is for `tell`: the
 * first error is the cause.
 */
export async function openTogether<T>(
  open: (closers: Closers) => Promise<T>,
  tell: (failure: unknown) => void,
): Promise<T> {
  const closers = new Closers();
  try {
    return await open(closers);
  } catch (error) {
    await closers.close().catch(tell);
    throw error;
  }
}

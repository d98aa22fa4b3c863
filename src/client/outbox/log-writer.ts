/**
 * Writes the log of an outbox, one thing after the other: what is appended while the log is written anew would be lost with the
 * old one. A storage that is full takes more when there is room again; one that failed otherwise is believed no more,
 * because nobody knows what is on it.
 */
import { HubError, messageOf } from '../../base/errors.ts';

export class LogWriter {
  #turn: Promise<unknown> = Promise.resolve();
  #trouble: HubError | undefined;

  /** Why the last write failed; undefined where it did not. */
  get trouble(): HubError | undefined {
    return this.#trouble;
  }

  /** Nothing is written any more. */
  get isBroken(): boolean {
    return this.#trouble !== undefined && this.#trouble.code !== 'client.storage-full';
  }

  /** Runs `work` when its turn comes; why it was in vain, undefined where what it wrote is kept. */
  inTurn(work: () => Promise<void>): Promise<HubError | undefined> {
    const turn = this.#after(this.#turn, work);
    this.#turn = turn;
    return turn;
  }

  async #after(before: Promise<unknown>, work: () => Promise<void>): Promise<HubError | undefined> {
    await before;
    if (this.isBroken) return this.#trouble;
    try {
      await work();
      this.#trouble = undefined;
    } catch (error) {
      const isFull = error instanceof HubError && error.code === 'client.storage-full';
      const code = isFull ? 'client.storage-full' : 'client.storage';
      this.#trouble = new HubError(code, `not kept: ${messageOf(error)}`, error);
    }
    return this.#trouble;
  }
}

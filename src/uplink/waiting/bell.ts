/** Rings once for everybody who waits for it then. */
export class Bell {
  readonly #waiting: (() => void)[] = [];

  /** Resolves at the next ring. */
  rings(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  ring(): void {
    for (const tell of this.#waiting.splice(0)) tell();
  }
}

/** Simulated drivers: they answer at once from a made tree, and those that hang when they are let go. */
import type { DriverFiles, DriverReader, DriverTexts } from '../files/driver-files.ts';

export class SimDriverFiles implements DriverFiles {
  readonly #textAt: (path: string) => string | undefined;
  readonly #hanging = new Set<string>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** What the file at a path says; undefined where its driver says nothing. */
  constructor(textAt: (path: string) => string | undefined = () => undefined) {
    this.#textAt = textAt;
  }

  hang(path: string): void {
    this.#hanging.add(path);
  }

  letGo(path: string): void {
    this.#hanging.delete(path);
    const waiting = this.#waiting.get(path) ?? new Set();
    this.#waiting.delete(path);
    for (const answer of waiting) answer();
  }

  /** Questions that wait for this path. */
  waitingFor(path: string): number {
    return this.#waiting.get(path)?.size ?? 0;
  }

  open(): DriverReader {
    let isClosed = false;
    const read = (paths: readonly string[], onAnswer: (texts: DriverTexts) => void): void => {
      if (isClosed) return;
      const hanging = paths.find((path) => this.#hanging.has(path));
      if (hanging === undefined) return onAnswer(this.#texts(paths));
      const waiting = this.#waiting.get(hanging) ?? new Set();
      waiting.add(() => read(paths, onAnswer));
      this.#waiting.set(hanging, waiting);
    };
    return {
      read,
      close: () => {
        isClosed = true;
      },
    };
  }

  #texts(paths: readonly string[]): DriverTexts {
    const found = paths.map((path) => [path, this.#textAt(path)?.trim()] as const);
    return new Map(found.filter((it): it is [string, string] => it[1] !== undefined));
  }
}

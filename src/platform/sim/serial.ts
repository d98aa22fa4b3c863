/**
 * Simulated serial ports: adapters are plugged in and pulled by name, and send what the test lets them
 * send. Like the machine's, a port that is not there fails after the call, never during it.
 */
import type { Timers } from '../../base/clock.ts';
import type { SerialHandlers, SerialLine, SerialPorts } from '../serial.ts';

export class SimSerialPorts implements SerialPorts {
  readonly #timers: Timers;
  readonly #plugged = new Set<string>();
  readonly #open = new Map<string, Set<SerialHandlers>>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  plug(path: string): void {
    this.#plugged.add(path);
  }

  unplug(path: string): void {
    this.#plugged.delete(path);
    const gone = this.#open.get(path) ?? new Set();
    this.#open.delete(path);
    for (const handlers of gone) handlers.onClose('the device is gone');
  }

  /** Bytes from the device to whoever has its port open; lost where nobody has. */
  send(path: string, bytes: Uint8Array): void {
    for (const handlers of this.#open.get(path) ?? []) handlers.onData(bytes);
  }

  isOpen(path: string): boolean {
    return (this.#open.get(path)?.size ?? 0) > 0;
  }

  open(path: string, _baud: number, handlers: SerialHandlers): SerialLine {
    let closed = false;
    this.#timers.soon(() => {
      if (closed) return;
      if (!this.#plugged.has(path)) return handlers.onClose('no such device');
      const readers = this.#open.get(path) ?? new Set();
      readers.add(handlers);
      this.#open.set(path, readers);
    });
    return {
      close: () => {
        closed = true;
        this.#open.get(path)?.delete(handlers);
      },
    };
  }
}

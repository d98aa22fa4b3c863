/**
 * Simulated serial ports: adapters are plugged in and pulled by name, and send what the test lets them
 * send. Like the machine's, a port that is not there fails after the call, never during it.
 */
import type { Timers } from '../../base/clock.ts';
import { HELD, type SerialHandlers, type SerialLine, type SerialPorts } from '../serial.ts';

export class SimSerialPorts implements SerialPorts {
  readonly #timers: Timers;
  readonly #plugged = new Set<string>();
  readonly #open = new Map<string, SerialHandlers>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  plug(path: string): void {
    this.#plugged.add(path);
  }

  unplug(path: string): void {
    this.#plugged.delete(path);
    const gone = this.#open.get(path);
    this.#open.delete(path);
    gone?.onClose('the device is gone');
  }

  /** Bytes from the device to whoever has its port open; lost where nobody has. */
  send(path: string, bytes: Uint8Array): void {
    this.#open.get(path)?.onData(bytes);
  }

  isOpen(path: string): boolean {
    return this.#open.has(path);
  }

  open(path: string, _baud: number, handlers: SerialHandlers): SerialLine {
    let closed = false;
    this.#timers.soon(() => {
      if (closed) return;
      if (!this.#plugged.has(path)) return handlers.onClose('no such device');
      if (this.isOpen(path)) return handlers.onClose(HELD);
      this.#open.set(path, handlers);
    });
    return {
      close: () => {
        closed = true;
        if (this.#open.get(path) === handlers) this.#open.delete(path);
      },
    };
  }
}

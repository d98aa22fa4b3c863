/**
 * A serial line that is only read (VE.Direct). The simulated twin is sim/serial.ts.
 *
 * No native module: `stty` sets the line, and a tty.ReadStream reads it without blocking (a file stream on
 * a tty never ends). The descriptor is opened without taking the terminal as the controlling one.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';

export interface SerialHandlers {
  onData(bytes: Uint8Array): void;
  /** The adapter is gone or was never there; called once, and not after `close`. */
  onClose(reason: string): void;
}

export interface SerialLine {
  close(): void;
}

export interface SerialPorts {
  /** Opens `path` raw at `baud`, 8N1; failure comes as `onClose`, never during the call. */
  open(path: string, baud: number, handlers: SerialHandlers): SerialLine;
}

const STTY_TIMEOUT_MS = 5_000;
const OPEN_FLAGS = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;

export const machineSerial: SerialPorts = {
  open: (path, baud, handlers) => new MachineSerialLine(path, baud, handlers),
};

class MachineSerialLine implements SerialLine {
  readonly #handlers: SerialHandlers;
  #stream: ReadStream | undefined;
  #over = false;

  constructor(path: string, baud: number, handlers: SerialHandlers) {
    this.#handlers = handlers;
    if (!existsSync(path)) {
      setImmediate(() => this.#end('no such device'));
      return;
    }
    // `-hupcl`: closing the port must not reset a device behind the adapter.
    const args = ['-F', path, String(baud), 'raw', '-echo', '-ixon', '-hupcl'];
    execFile('stty', args, { timeout: STTY_TIMEOUT_MS }, (error, _stdout, stderr) => {
      if (this.#over) return;
      if (error === null) this.#read(path);
      else this.#end(stderr.trim().replace(`stty: ${path}: `, '') || error.message);
    });
  }

  close(): void {
    this.#over = true;
    this.#stream?.destroy();
  }

  #read(path: string): void {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(path, OPEN_FLAGS);
      const stream = new ReadStream(descriptor);
      this.#stream = stream;
      stream.on('data', (bytes: Uint8Array) => {
        if (!this.#over) this.#handlers.onData(bytes);
      });
      stream.on('error', (error) => this.#end(error.message));
      stream.on('close', () => this.#end('the device is gone'));
    } catch (error) {
      if (descriptor !== undefined && this.#stream === undefined) closeSync(descriptor);
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream?.destroy();
    this.#handlers.onClose(reason);
  }
}

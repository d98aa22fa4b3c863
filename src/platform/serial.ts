/**
 * A serial line that is only read (VE.Direct). The simulated twin is sim/serial.ts.
 *
 * No native module: `stty` sets the line, and a tty.ReadStream reads it without blocking (a file stream on
 * a tty never ends). The descriptor is opened without taking the terminal as the controlling one. Two readers would each get
 * some of the bytes: `flock` locks the descriptor that it is handed down, and the lock is ours as long as that is open.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';

import { messageOf } from '../base/errors.ts';

export interface SerialHandlers {
  onData(bytes: Uint8Array): void;
  /** The adapter is gone or was never there; called once, and not after `close`. */
  onClose(reason: string): void;
}

export interface SerialLine {
  close(): void;
}

export interface SerialPorts {
  /** Opens `path` raw at `baud`, 8N1, where nobody else has; failure comes as `onClose`, never during the call. */
  open(path: string, baud: number, handlers: SerialHandlers): SerialLine;
}

/** To whom a port is refused that has its reader. */
export const HELD =
  'another program reads this port: a second hub, or `heliograph power probe` beside one?';

const STTY_TIMEOUT_MS = 5_000;
/** What `flock -n` ends with where another has the lock. */
const FLOCK_HELD = 1;
const OPEN_FLAGS = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;

export const machineSerial: SerialPorts = {
  open: (path, baud, handlers) => new MachineSerialLine(path, baud, handlers),
};

class MachineSerialLine implements SerialLine {
  readonly #handlers: SerialHandlers;
  #stream: ReadStream | undefined;
  /** Open for its lock alone. */
  #lock: number | undefined;
  #over = false;

  constructor(path: string, baud: number, handlers: SerialHandlers) {
    this.#handlers = handlers;
    if (existsSync(path)) void this.#begin(path, baud);
    else setImmediate(() => this.#end('no such device'));
  }

  close(): void {
    this.#over = true;
    this.#release();
  }

  async #begin(path: string, baud: number): Promise<void> {
    try {
      const lock = openSync(path, OPEN_FLAGS);
      this.#lock = lock;
      const refusal = (await isHeld(lock)) ? HELD : await sttyRefusal(path, baud);
      if (refusal !== undefined) throw new Error(refusal);
      if (!this.#over) this.#read(path);
    } catch (error) {
      setImmediate(() => this.#end(messageOf(error)));
    }
  }

  #read(path: string): void {
    const stream = streamOf(path);
    this.#stream = stream;
    stream.on('data', (bytes: Uint8Array) => {
      if (!this.#over) this.#handlers.onData(bytes);
    });
    stream.on('error', (error) => this.#end(error.message));
    stream.on('close', () => this.#end('the device is gone'));
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.close();
    this.#handlers.onClose(reason);
  }

  #release(): void {
    this.#stream?.destroy();
    if (this.#lock !== undefined) closeSync(this.#lock);
    this.#lock = undefined;
  }
}

/**
 * libuv opens a terminal once more and forgets the descriptor that it was given. Each plug and pull would leave one open, and
 * the kernel gives the adapter another name as long as somebody holds the old one.
 */
function streamOf(path: string): ReadStream {
  const descriptor = openSync(path, OPEN_FLAGS);
  let stream: ReadStream | undefined;
  try {
    stream = new ReadStream(descriptor);
    return stream;
  } finally {
    if (descriptorOf(stream) !== descriptor) closeSync(descriptor);
  }
}

function descriptorOf(stream: ReadStream | undefined): unknown {
  const { _handle: handle } = (stream ?? {}) as { _handle?: { fd?: unknown } | null };
  return handle?.fd;
}

/** Takes the lock where nobody has it. A machine without `flock` has readers that do not know of each other. */
function isHeld(descriptor: number): Promise<boolean> {
  return new Promise((resolve) => {
    const flock = spawn('flock', ['-n', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', descriptor],
    });
    flock.once('error', () => resolve(false));
    flock.once('close', (code) => resolve(code === FLOCK_HELD));
  });
}

/** Why `stty` could not set the line; undefined where it did. */
function sttyRefusal(path: string, baud: number): Promise<string | undefined> {
  // `-hupcl`: closing the port must not reset a device behind the adapter.
  const args = ['-F', path, String(baud), 'raw', '-echo', '-ixon', '-hupcl'];
  return new Promise((resolve) => {
    execFile('stty', args, { timeout: STTY_TIMEOUT_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(stderr.trim().replace(`stty: ${path}: `, '') || error.message);
    });
  });
}

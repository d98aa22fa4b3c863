/**
 * A TCP proxy that counts what passes it and, where asked to, cuts a connection at an exact byte: the wire of the
 * uplink's bench and of its tests. What has been counted has been handed to the other side; what was still on its
 * way at a cut has not. Who comes back after a cut is let in when the target has read the last bytes: one that is busy would
 * take the new connection first, and throw away with the old one what has been counted.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

interface ProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Bytes of both directions after which the next connection is cut; undefined or absent: never. */
  readonly bytesUntilCut?: () => number | undefined;
  /** For each connection: takes what passes, as it passes. */
  readonly meter?: () => (bytes: Uint8Array, isUp: boolean) => void;
}

const HOST = '127.0.0.1';

export class CountingProxy {
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #bytesUp = 0;
  #bytesDown = 0;
  #connections = 0;
  #cuts = 0;
  /** Resolves when the target has closed the connection that was cut last. */
  #settled: Promise<unknown> = Promise.resolve();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (near) => {
      this.#keep(near);
      void this.#settled.then(() => this.#join(near));
    });
  }

  /** Listens on a free port of this machine. */
  static async open(options: ProxyOptions): Promise<CountingProxy> {
    const proxy = new CountingProxy(options);
    proxy.#server.listen(0, HOST);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From whoever connects to the target, and back: payload of TCP, without its headers. */
  get bytesUp(): number {
    return this.#bytesUp;
  }

  get bytesDown(): number {
    return this.#bytesDown;
  }

  get connections(): number {
    return this.#connections;
  }

  get cuts(): number {
    return this.#cuts;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    if (near.destroyed) return;
    this.#connections += 1;
    const measure = this.#options.meter?.();
    let left = this.#options.bytesUntilCut?.() ?? Number.POSITIVE_INFINITY;
    const far = connect({ ...this.#options.target, noDelay: true });
    const pass = (from: Socket, to: Socket, count: (bytes: number) => void): void => {
      const isUp = from === near;
      from.on('data', (bytes) => {
        if (left === 0) return;
        const passed = bytes.length <= left ? bytes : bytes.subarray(0, left);
        left -= passed.length;
        count(passed.length);
        measure?.(passed, isUp);
        if (left === 0) {
          this.#settled = closeOf(far);
          this.#cut(from, to, passed);
        } else if (!to.write(passed)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('close', () => to.end());
    };
    this.#keep(far);
    pass(near, far, (bytes) => (this.#bytesUp += bytes));
    pass(far, near, (bytes) => (this.#bytesDown += bytes));
  }

  /** Until it closes. */
  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined); // 'close' follows.
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /**
   * The last bytes arrive, then both ends are told that it is over; what they still send goes nowhere. Not a reset, which
   * would take from the other side even what has arrived and waits to be read.
   */
  #cut(from: Socket, to: Socket, last: Uint8Array): void {
    this.#cuts += 1;
    to.end(last);
    from.end();
    from.resume();
    to.resume();
  }
}

/** A target that was killed may have closed before the cut. */
function closeOf(socket: Socket): Promise<unknown> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', resolve));
}

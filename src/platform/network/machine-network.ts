/**
 * TCP and TLS of this machine. Small writes leave at once (no Nagle); a peer that vanished without a word
 * is found by the kernel's keepalive, also where MQTT's own is switched off.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';

import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import { readIntoInbox } from './inbox.ts';
import type {
  Connection,
  ConnectionHandlers,
  Listener,
  ListenOptions,
  Network,
} from './network.ts';

const KEEPALIVE_DELAY_MS = 60_000;
const HANDSHAKE_MS_MAX = 10_000;
/** Bytes that may wait in our memory before `write` says false; a full read of the kernel is 64 KiB. */
const WRITE_HIGH_WATER_BYTES = 256 * 1024;
/**
 * Connections that the kernel holds for us until they are accepted. Where a router comes back, all devices of a site dial at once, and
 * whom the kernel has no room for (511 where nothing is said) tries again after 1, 3, 7 … seconds, whoever has room by then.
 */
const BACKLOG = 4_096;
/** How long an ended connection may take to hand over its last bytes. */
const LINGER_MS_MAX = 5_000;

export const machineNetwork: Network = { listen };

function listen(
  options: ListenOptions,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const server = openServer(options, onConnection);
  server.maxConnections = options.connectionsMax;
  server.on('drop', () => options.onTurnedAway?.());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenFault(options, error)));
    const { host, port } = options;
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeAllListeners('error');
      // An accept that fails for want of file descriptors is tried again by the next client.
      server.on('error', () => undefined);
      resolve({ host: options.host, port: portOf(server), close: () => stop(server) });
    });
  });
}

function openServer(
  options: ListenOptions,
  onConnection: (connection: Connection) => void,
): Server {
  const socketOptions = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    highWaterMark: WRITE_HIGH_WATER_BYTES,
  };
  if (options.tls === undefined) {
    return createServer({ ...socketOptions, pauseOnConnect: true }, (socket) =>
      onConnection(new SocketConnection(socket, fromInbox)),
    );
  }
  const key = Buffer.from(options.tls.key);
  const cert = Buffer.from(options.tls.cert);
  const handshakeTimeout = HANDSHAKE_MS_MAX;
  const { clientCa } = options.tls;
  // Not refused here: dates count in this check, and a hub without a clock would shut everybody out.
  const asking =
    clientCa === undefined
      ? {}
      : { requestCert: true, rejectUnauthorized: false, ca: Buffer.from(clientCa) };
  const server = createTlsServer(
    { ...socketOptions, key, cert, handshakeTimeout, ...asking },
    (socket) => onConnection(connectionOf(socket)),
  );
  // Before the handshake is done nobody owns the socket; without a listener its errors would end the process.
  server.on('connection', (socket: Socket) => socket.on('error', () => undefined));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function stop(server: Server): Promise<void> {
  server.close(); // Its callback would wait for every connection; the port itself is free at once.
  return Promise.resolve();
}

/** Why nobody can listen there, named by who asked for it. */
export function listenFault(
  place: Pick<ListenOptions, 'host' | 'port' | 'purpose'>,
  error: Error,
): HubError {
  const where = `${place.purpose}: ${place.host}:${place.port}`;
  if (systemCode(error) === 'EADDRINUSE') {
    return new HubError('port.taken', `${where} is taken by another program`, error);
  }
  return new HubError('port.unusable', `${where} cannot be used: ${messageOf(error)}`, error);
}

/** A connected socket as a `Connection`. */
export function connectionOf(socket: Socket): Connection {
  return new SocketConnection(socket, inPieces);
}

/** Begins to read a socket; what is to be used instead of it from now on. */
type BeginReading = (socket: Socket, onBytes: (bytes: Uint8Array) => void) => Socket;

const inPieces: BeginReading = (socket, onBytes) => {
  socket.allowHalfOpen = true;
  return socket.on('data', onBytes);
};

const fromInbox: BeginReading = (socket, onBytes) =>
  readIntoInbox(socket, WRITE_HIGH_WATER_BYTES, onBytes).on('error', ignore);

class SocketConnection implements Connection {
  readonly remote: string;
  readonly peerCertificate: Uint8Array | undefined;
  readonly #beginReading: BeginReading;
  #socket: Socket;
  #ended = false;

  constructor(socket: Socket, beginReading: BeginReading) {
    this.#socket = socket;
    this.#beginReading = beginReading;
    this.remote = `${plainAddress(socket.remoteAddress)}:${socket.remotePort ?? 0}`;
    this.peerCertificate = certificateOf(socket);
    socket.on('error', ignore);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  start(handlers: ConnectionHandlers): void {
    if (this.#socket.closed) {
      queueMicrotask(() => handlers.onClose());
      return;
    }
    const socket = this.#beginReading(this.#socket, (bytes) => {
      if (!this.#ended) handlers.onData(bytes);
    });
    this.#socket = socket;
    socket.on('drain', () => {
      if (!this.#ended) handlers.onDrain();
    });
    socket.once('end', () => {
      if (this.#ended) return;
      if (handlers.onEnd === undefined) this.end();
      else handlers.onEnd();
    });
    socket.once('close', () => handlers.onClose());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended || this.#socket.destroyed || this.#socket.writableEnded) return true;
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const socket = this.#socket;
    const giveUp = setTimeout(() => socket.destroy(), LINGER_MS_MAX);
    socket.once('close', () => clearTimeout(giveUp));
    socket.resume(); // Unread bytes would turn our last words into a reset.
    socket.end();
  }

  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }
}

/** What went wrong shows as the close that follows. */
function ignore(): void {
  // Nothing more to do.
}

/** The certificate that the TLS handshake has proved the peer to hold. */
function certificateOf(socket: Socket): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && new Uint8Array(certificate.raw);
}

/** `192.0.2.7` for what a dual-stack socket calls `::ffff:192.0.2.7`. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

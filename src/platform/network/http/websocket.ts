/**
 * MQTT over WebSocket (MQTT 3.1.1 §6): takes over the upgrade of an HTTP server and gives the byte stream
 * inside as a `Connection`. Messages are pieces of one stream, cut anywhere [MQTT-6.0.0-2]; a text message closes
 * the connection [MQTT-6.0.0-1]. The client must offer `mqtt` or `mqttv3.1` [MQTT-6.0.0-3]. Compression is off:
 * it costs 300 KB a connection and payloads of devices are small.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { type WebSocket, WebSocketServer } from 'ws';

import { plainAddress } from '../machine-network.ts';
import type { Connection, ConnectionHandlers } from '../network.ts';
import { type Refusal, refuse } from './refusal.ts';

const SUBPROTOCOLS = ['mqtt', 'mqttv3.1'];
/** Bytes that may wait before `write` says false. */
const WRITE_HIGH_WATER_BYTES = 256 * 1024;
const UNSUPPORTED_DATA = 1003;
/** For the other end to hang up behind its goodbye: until then it counts as there, and its will waits. */
const CLOSE_MS_MAX = 2000;

const TOO_MANY: Refusal = {
  status: 503,
  detail: 'broker.connections_max are open. Try again later.',
};
const NOT_MQTT: Refusal = {
  status: 400,
  detail: 'Offer the WebSocket subprotocol mqtt.',
};

interface WebSocketOptions {
  readonly connectionsMax: number;
  /** A longer message closes the connection before it is read. */
  readonly messageBytesMax: number;
}

/** What an HTTP server calls for an upgrade request to `/mqtt`. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Answers upgrades with the byte streams inside, given to `onConnection`. */
export function webSocketUpgrades(
  options: WebSocketOptions,
  onConnection: (connection: Connection) => void,
): UpgradeHandler {
  // A variable, as its types do not know `closeTimeout` yet.
  const settings = {
    noServer: true,
    perMessageDeflate: false,
    maxPayload: options.messageBytesMax,
    closeTimeout: CLOSE_MS_MAX,
    handleProtocols: (offered: Set<string>) =>
      SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  };
  const server = new WebSocketServer(settings);
  return (request, socket, head) => {
    socket.on('error', () => undefined);
    if (server.clients.size >= options.connectionsMax) return refuse(socket, TOO_MANY);
    if (!offersMqtt(request)) return refuse(socket, NOT_MQTT);
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const { remoteAddress, remotePort } = request.socket;
      const remote = `websocket ${plainAddress(remoteAddress)}:${remotePort ?? 0}`;
      onConnection(new WebSocketConnection(webSocket, remote));
    });
  };
}

function offersMqtt(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => SUBPROTOCOLS.includes(name.trim()));
}

class WebSocketConnection implements Connection {
  readonly remote: string;
  readonly #webSocket: WebSocket;
  #handlers: ConnectionHandlers | undefined;
  #ended = false;
  #owesDrain = false;

  constructor(webSocket: WebSocket, remote: string) {
    this.#webSocket = webSocket;
    this.remote = remote;
    // What went wrong shows as the close that follows.
    webSocket.on('error', () => undefined);
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#webSocket.on('message', (data, isBinary) => {
      if (this.#ended) return;
      const bytes = data as Buffer;
      if (!isBinary) this.#close(UNSUPPORTED_DATA);
      else if (bytes.length > 0) handlers.onData(bytes);
    });
    this.#webSocket.once('close', () => handlers.onClose());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended || this.#webSocket.readyState !== this.#webSocket.OPEN) return true;
    this.#webSocket.send(bytes, this.#onSent);
    this.#owesDrain ||= this.#webSocket.bufferedAmount >= WRITE_HIGH_WATER_BYTES;
    return !this.#owesDrain;
  }

  readonly #onSent = (): void => {
    if (!this.#owesDrain || this.#ended || this.#webSocket.bufferedAmount > 0) return;
    this.#owesDrain = false;
    this.#handlers?.onDrain();
  };

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  end(): void {
    this.#close(1000);
  }

  #close(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#webSocket.resume(); // The peer's answer to our close must be read.
    this.#webSocket.close(code);
  }

  destroy(): void {
    this.#ended = true;
    this.#webSocket.terminate();
  }
}

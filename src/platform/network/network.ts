/**
 * Byte streams of clients, whatever carries them: TCP and TLS (machine-network.ts), WebSocket (websocket.ts). The
 * broker knows only this.
 */

export interface ConnectionHandlers {
  /** Bytes came; they are valid during the call only. */
  onData(bytes: Uint8Array): void;
  /** What was written has left our buffers, after `write` had returned false. */
  onDrain(): void;
  /**
   * The peer will say no more, and over TCP and TLS it may still listen: whoever hears this ends the connection when all is
   * said. Where nobody hears it, the connection ends at once.
   */
  onEnd?(): void;
  /** The connection is gone, by whichever side; called exactly once. */
  onClose(): void;
}

export interface Connection {
  /** Peer's address for logs: `192.0.2.7:51234`, `websocket 192.0.2.7:51234`. */
  readonly remote: string;
  /** DER of the certificate that the peer has proved to hold, where the listener asks for one; unverified otherwise. */
  readonly peerCertificate?: Uint8Array | undefined;
  /** Attaches the handlers; data flows from then on. */
  start(handlers: ConnectionHandlers): void;
  /**
   * Queues bytes; false where the caller should wait for `onDrain`. They must not change until `bufferedBytes`
   * is 0 again: then they have been handed on, and the caller may use their memory for something else.
   * After the end, they are discarded.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes that were written and have not left yet. */
  readonly bufferedBytes: number;
  /** No `onData` until `resume`; the peer is held back once the buffers between us are full. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes; no `onData` from now on. A peer that takes nothing is cut off in time. */
  end(): void;
  /** Closes now, discarding what is queued; no `onData` from now on. */
  destroy(): void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Stops listening; connections that were accepted belong to whoever took them. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Who asks for it: stands in the error where the port is taken (`broker.port`). */
  readonly purpose: string;
  readonly tls?: {
    readonly key: Uint8Array;
    readonly cert: Uint8Array;
    /** Ask clients for a certificate and name this authority to them; whether it will do is the listener's owner's business. */
    readonly clientCa?: Uint8Array;
  };
  /** Connections beyond this number are closed at once. */
  readonly connectionsMax: number;
  /** Hears of each of those. */
  onTurnedAway?(): void;
}

export interface Network {
  /** Throws `HubError`: `port.taken` where another program listens there, `port.unusable` where we may not. */
  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener>;
}

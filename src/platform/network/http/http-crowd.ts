/**
 * A crowd at an HTTP server: each newcomer, and each that finds no place, ends the connections that have been silent longest,
 * until it is no crowd any more: those that were opened and never used, or are kept for a next request. Whoever has a request
 * under way, a stream or an upgraded connection stays. So a program that opens connections and says nothing, cheap as that is,
 * only pushes out its own.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** From this share of the connections on, silent ones make room. */
const CROWDED = 0.75;
/** … where they have been silent for so long: a request may be on its way. */
const PATIENCE_MS = 1_000;

/** Ends silent connections of the server from now on; it holds `connectionsMax` at most. */
export function keepRoom(server: Server, connectionsMax: number, patienceMs = PATIENCE_MS): void {
  const crowd = Math.ceil(connectionsMax * CROWDED);
  /** Since when; the longest first. */
  const silent = new Map<Socket, number>();
  let open = 0;
  const makeRoom = (): void => {
    let tooMany = open - crowd;
    for (const [socket, sinceMs] of silent) {
      if (tooMany <= 0 || performance.now() - sinceMs < patienceMs) return;
      socket.destroy();
      tooMany -= 1;
    }
  };
  let isWaiting = false;
  /** Now, and when those that came in one burst have had their time: who comes then finds room. */
  const keep = (): void => {
    makeRoom();
    if (isWaiting || open <= crowd) return;
    isWaiting = true;
    const look = (): void => {
      isWaiting = false;
      makeRoom();
    };
    // What has come by then is read first: a program that had no time for anybody must not take them for silent.
    setTimeout(() => setImmediate(look), patienceMs).unref();
  };
  server.on('drop', keep);
  server.on('connection', (socket) => {
    open += 1;
    keep();
    silent.set(socket, performance.now());
    socket.once('close', () => {
      open -= 1;
      silent.delete(socket);
    });
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    silent.delete(socket);
    response.once('close', () => {
      if (!socket.destroyed) silent.set(socket, performance.now());
    });
  });
  server.on('upgrade', ({ socket }: IncomingMessage) => silent.delete(socket));
}

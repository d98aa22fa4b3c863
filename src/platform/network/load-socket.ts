/**
 * Client sockets of the load generator (`heliograph bench`): as little as possible between the generator
 * and the kernel, because it shares the machine with the broker it measures. Nothing else uses them; the
 * hub's own connections are network.ts and mqtt-client.ts.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

interface LoadSocketOptions {
  readonly host: string;
  readonly port: number;
  /** The bytes are valid during the call only. */
  readonly onData: (bytes: Uint8Array) => void;
  readonly onDrain: () => void;
  /** The other side ended it, or it broke. */
  readonly onClose: () => void;
}

export interface LoadSocket {
  /** The bytes must stay as they are until they have left; false where the caller should wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  destroy(): void;
}

/** All sockets read into the same buffer, one after the other. */
const inbox = new Uint8Array(64 * 1_024);

export async function openLoadSocket(options: LoadSocketOptions): Promise<LoadSocket> {
  let isOurs = false;
  const socket: Socket = connect({
    host: options.host,
    port: options.port,
    onread: {
      buffer: inbox,
      callback: (count) => {
        options.onData(inbox.subarray(0, count));
        return true;
      },
    },
  });
  await once(socket, 'connect');
  socket.setNoDelay(true);
  socket.on('drain', options.onDrain);
  socket.on('error', () => undefined); // 'close' follows.
  socket.on('close', () => {
    if (!isOurs) options.onClose();
  });
  return {
    write: (bytes) => socket.write(bytes),
    destroy: () => {
      isOurs = true;
      socket.destroy();
    },
  };
}

/** A port of 127.0.0.1 that was free a moment ago, for programs that cannot choose one by themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/**
 * Sockets that all read into one buffer, one after the other. A socket that a server of Node accepts gets 64 KiB of new memory for each
 * read, cut to what came: a part of each burst, tens of MB that wait for the collector, and holes in the heap of the
 * C library that are not given back for minutes. `onread` does without, but a server has no way to ask for it. So its socket gives its handle
 * to one of ours.
 */
import { Socket } from 'node:net';

/** Node's own names: what the operating system knows of a socket, and the server that counts it. */
const HANDLE = '_handle';
const SERVER = '_server';
/** As much as Node reads at once. */
const INBOX = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * What is to be used instead of a socket that a server has accepted with `pauseOnConnect`; it reads from now on, and `onBytes` hears
 * bytes that are valid during the call only.
 */
export function readIntoInbox(
  accepted: Socket,
  writeHighWaterBytes: number,
  onBytes: (bytes: Uint8Array) => void,
): Socket {
  const handle: unknown = Reflect.get(accepted, HANDLE);
  const onread = {
    buffer: INBOX,
    callback: (count: number): boolean => {
      onBytes(INBOX.subarray(0, count));
      return true;
    },
  };
  const options = { handle, highWaterMark: writeHighWaterBytes, onread, allowHalfOpen: true };
  const socket = new Socket(options);
  Reflect.set(socket, SERVER, Reflect.get(accepted, SERVER));
  Reflect.set(accepted, HANDLE, null);
  Reflect.set(accepted, SERVER, null);
  accepted.destroy();
  return socket;
}

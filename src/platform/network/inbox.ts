/**
 * Sockets that all read into one buffer, one after the other. A socket that a server of Node accepts gets 64 KiB of new memory for each
 * read, cut to what came: a part of each burst, tens of MB that wait for the collector, and holes in the heap of the
 * C library that are not given back for minutes. `onread` does without, but a server has no way to ask for it. So its socket gives its handle
 * to one of ours.
 */
import { Socket } from 'node:net';

/** A socket inside, by Node's own names: what the operating system knows, and the server that counts it. */
interface Holder {
  _handle: unknown;
  _server: unknown;
}

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
  const from = accepted as unknown as Holder;
  const onread = {
    buffer: INBOX,
    callback: (count: number): boolean => {
      onBytes(INBOX.subarray(0, count));
      return true;
    },
  };
  const options = { handle: from._handle, highWaterMark: writeHighWaterBytes, onread };
  const socket = new Socket(options as never);
  (socket as unknown as Holder)._server = from._server;
  from._handle = from._server = null;
  accepted.destroy();
  return socket;
}

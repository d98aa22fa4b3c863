/**
 * The least that a server in this language can do and still promise the disk: cut frames, append them, sync, acknowledge. No
 * sessions, no rights, no subscribers, no seal, nothing read back. What a hub loses against it is the price of being one.
 */
import { concatBytes } from '../../../base/bytes.ts';
import type { Files, OpenFile } from '../../../platform/files/files.ts';
import { machineNetwork } from '../../../platform/network/machine-network.ts';
import type { Connection } from '../../../platform/network/network.ts';
import type { Args } from '../../args.ts';
import type { CliIo } from '../../io.ts';
import { FrameScanner, PUBACK, PUBLISH } from '../load/packets.ts';

const CONNECT = 0x10;
const CONNACK_PACKET = Uint8Array.of(0x20, 2, 0, 0);
/** Zeroed before, written round and round: an append changes nothing but these bytes. */
const FILE_BYTES = 64 << 20;
const CONNECTIONS_MAX = 10_000;

/** Runs until it is interrupted; prints `ready PORT`. */
export async function benchBare(args: Args, io: CliIo): Promise<void> {
  const log = new BareLog(io.files, `${args.operand(0)}/bare.log`);
  const listener = await machineNetwork.listen(
    { host: '127.0.0.1', port: 0, purpose: 'bench', connectionsMax: CONNECTIONS_MAX },
    (connection) => serve(connection, log),
  );
  io.stdout(`ready ${listener.port}\n`);
  await new Promise<void>((resolve) => {
    io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await listener.close();
}

function serve(connection: Connection, log: BareLog): void {
  const scanner = new FrameScanner();
  let isOpen = true;
  connection.start({
    onData: (bytes) => {
      const acks: number[] = [];
      scanner.feed(bytes, ({ type, qos, packetId }) => {
        if (type === CONNECT) connection.write(CONNACK_PACKET);
        else if (type === PUBLISH && qos === 1)
          acks.push(PUBACK, 2, packetId >> 8, packetId & 0xff);
      });
      if (acks.length === 0) return;
      log.append(bytes.slice(), () => {
        if (isOpen) connection.write(Uint8Array.from(acks));
      });
    },
    onDrain: () => undefined,
    onClose: () => {
      isOpen = false;
    },
  });
}

/** While one sync runs the next group gathers. */
class BareLog {
  readonly #file: OpenFile;
  #at = 0;
  #gathering: { readonly bytes: Uint8Array[]; readonly done: (() => void)[] } = {
    bytes: [],
    done: [],
  };
  #isSyncing = false;

  constructor(files: Files, path: string) {
    this.#file = files.open(path, 'create');
    this.#file.fillZeros(0, FILE_BYTES);
    this.#file.datasyncNow();
  }

  append(bytes: Uint8Array, onDurable: () => void): void {
    this.#gathering.bytes.push(bytes);
    this.#gathering.done.push(onDurable);
    if (!this.#isSyncing) this.#commit();
  }

  #commit(): void {
    const { bytes, done } = this.#gathering;
    this.#gathering = { bytes: [], done: [] };
    const block = concatBytes(bytes);
    if (this.#at + block.length > FILE_BYTES) this.#at = 0;
    this.#file.writeAt(block, this.#at);
    this.#at += block.length;
    this.#isSyncing = true;
    this.#file.datasync((error) => {
      if (error !== undefined) throw error;
      this.#isSyncing = false;
      for (const tell of done) tell();
      if (this.#gathering.bytes.length > 0) this.#commit();
    });
  }
}

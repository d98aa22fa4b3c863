/**
 * What the bytes of an uplink are for, by the MQTT packets that they make up. The data of a chunk that arrived whole is
 * `data`, whatever it is packed in is `heads`; a packet that a cut tore is `torn`.
 */
import { concatBytes, EMPTY_BYTES } from '../../../src/base/bytes.ts';
import { SHORT_HEAD_BYTES } from '../../../src/batch/wire/short-chunk.ts';

const KINDS: Readonly<Record<number, string>> = {
  1: 'login',
  2: 'login',
  4: 'acks',
  8: 'subscribing',
  9: 'subscribing',
};
const PUBLISH = 3;
/** Array, index, total and bytes of the batch, hash, and the head of the data, roughly. */
const CHUNK_HEAD_BYTES = 49;

export class WireMeter {
  readonly #bytes = new Map<string, number>();

  byKind(): Record<string, number> {
    return Object.fromEntries([...this.#bytes].toSorted(([, a], [, b]) => b - a));
  }

  /** Takes the bytes of one connection, both ways. */
  connection(): (bytes: Uint8Array, isUp: boolean) => void {
    const rest: Uint8Array[] = [EMPTY_BYTES, EMPTY_BYTES];
    return (bytes, isUp) => {
      const way = Number(isUp);
      this.#add('torn', bytes.length);
      let left = concatBytes([rest[way] as Uint8Array, bytes]);
      for (;;) {
        const length = packetBytes(left);
        if (length === undefined || left.length < length) break;
        this.#packet(left.subarray(0, length));
        left = left.subarray(length);
      }
      rest[way] = left;
    };
  }

  /** Counted as torn until it was whole. */
  #packet(packet: Uint8Array): void {
    this.#add('torn', -packet.length);
    const type = (packet[0] as number) >> 4;
    if (type !== PUBLISH) return this.#add(KINDS[type] ?? 'other', packet.length);
    const at = packet.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
    const topicBytes = new DataView(packet.buffer, packet.byteOffset + at).getUint16(0);
    const topic = new TextDecoder().decode(packet.subarray(at + 2, at + 2 + topicBytes));
    const kind = topic.startsWith('hg/') ? 'c' : topic.split('/').slice(4).join('/');
    const headBytes = at + 2 + topicBytes + 2;
    if (kind !== 'c' && !kind.startsWith('up/'))
      return this.#add(kind.replace(/[0-9a-f]{32}.*/, '#'), packet.length);
    const ofChunk = kind === 'c' ? SHORT_HEAD_BYTES : CHUNK_HEAD_BYTES;
    this.#add('heads', headBytes + ofChunk);
    this.#add('data', packet.length - headBytes - ofChunk);
  }

  #add(kind: string, bytes: number): void {
    this.#bytes.set(kind, (this.#bytes.get(kind) ?? 0) + bytes);
  }
}

/** Undefined where not even the length is there. */
function packetBytes(bytes: Uint8Array): number | undefined {
  let length = 0;
  for (let at = 1; at < 5; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) << (7 * (at - 1));
    if (byte < 0x80) return at + 1 + length;
  }
  return undefined;
}

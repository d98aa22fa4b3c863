/**
 * Recognises a redelivery: a publish with DUP set, of the same client, with the same packet id, topic and
 * payload as one that is journaled. MQTT promises at least once; this makes the usual case once: an ack that
 * was lost with the connection.
 *
 * Memory of this process only. After a restart of the hub an unacknowledged publish may be journaled
 * twice, which loses nothing. Looking for it in the journal by its content alone could take a new message
 * for an old one, which would.
 */
import { crc32 } from 'node:zlib';

import { encodeDelivery } from '../../model/entry.ts';
import type { Lsn } from '../journal-port.ts';

/** Publishes remembered per client: more than clients keep in flight. */
const PER_CLIENT = 128;
const CLIENTS_MAX = 4096;
const LENGTH_BITS = 0x200000;
const TWO_32 = 0x100000000;
const SHORT_BYTES = 512;
const MIX = 0x5bd1e995;

class ClientMemory {
  readonly packetIds = new Uint16Array(PER_CLIENT);
  readonly marks = new Float64Array(PER_CLIENT);
  readonly lsns = new Float64Array(PER_CLIENT);
  count = 0;
}

/** Checksum and length of topic and payload as one number. A short payload is hashed sooner than a call into zlib takes. */
export function markOf(topicCrc: number, payload: Uint8Array): number {
  const { length } = payload;
  const sum = length > SHORT_BYTES ? crc32(payload, topicCrc) : shortHash(topicCrc, payload);
  return (length % LENGTH_BITS) * TWO_32 + sum;
}

/** Words of four bytes in two lanes, which the processor computes side by side; each step mixes as MurmurHash2 does. */
function shortHash(seed: number, bytes: Uint8Array): number {
  const { length } = bytes;
  let a = seed;
  let b = ~seed;
  let at = 0;
  for (; at + 7 < length; at += 8) {
    a = Math.imul(a ^ wordAt(bytes, at), MIX);
    a ^= a >>> 15;
    b = Math.imul(b ^ wordAt(bytes, at + 4), MIX);
    b ^= b >>> 15;
  }
  for (; at < length; at++) a = Math.imul(a ^ (bytes[at] as number), MIX);
  a = Math.imul(a ^ b ^ (a >>> 15), MIX);
  return (a ^ (a >>> 13)) >>> 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

export class RecentPublishes {
  readonly #clients = new Map<string, ClientMemory>();

  /** LSN under which this very publish is journaled, where that is known. */
  find(clientId: string, packetId: number, mark: number): Lsn | undefined {
    const memory = this.#clients.get(clientId);
    if (memory === undefined) return undefined;
    const oldest = Math.max(0, memory.count - PER_CLIENT);
    for (let index = memory.count - 1; index >= oldest; index--) {
      const slot = index % PER_CLIENT;
      if (memory.packetIds[slot] !== packetId) continue;
      return memory.marks[slot] === mark ? memory.lsns[slot] : undefined;
    }
    return undefined;
  }

  note(clientId: string, packetId: number, mark: number, lsn: Lsn): void {
    let memory = this.#clients.get(clientId);
    if (memory === undefined) {
      memory = new ClientMemory();
      if (this.#clients.size >= CLIENTS_MAX) {
        const [first] = this.#clients.keys();
        this.#clients.delete(first as string);
      }
      this.#clients.set(clientId, memory);
    }
    const slot = memory.count % PER_CLIENT;
    memory.packetIds[slot] = packetId;
    memory.marks[slot] = mark;
    memory.lsns[slot] = lsn;
    memory.count += 1;
  }

  /** The client began a new session: its packet ids mean nothing any more. */
  forget(clientId: string): void {
    this.#clients.delete(clientId);
  }
}

/** What the broker must know again of a publish after a crash: RETAIN, and the identifier of a QoS 2 publish. */
export function deliveryOf(publish: {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly clientId: string;
  readonly packetId: number;
}): Uint8Array | undefined {
  const { qos, retain, clientId, packetId } = publish;
  if (qos === 0 || (qos === 1 && !retain)) return undefined;
  return encodeDelivery({ qos, retain, clientId, packetId });
}

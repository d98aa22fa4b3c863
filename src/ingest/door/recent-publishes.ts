/**
 * Remembers which publish of a client was journaled where, to recognise a redelivery: a publish with DUP set, of the same
 * client, with the same packet id, topic and payload as one that is journaled. MQTT promises at least once; this makes the
 * usual case once: an ack that was lost with the connection. What was journaled is compared when a DUP asks for it, in
 * the journal, so that a publish costs nothing but its place here. A new session forgets nothing: libraries send again in
 * a clean one what was not acknowledged in the last.
 *
 * Memory of this process only. After a restart of the hub an unacknowledged publish may be journaled
 * twice, which loses nothing. Looking for it in the journal by its content alone could take a new message
 * for an old one, which would.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { encodeDelivery } from '../../model/entry.ts';
import type { Origin } from '../../model/origin.ts';
import type { JournalPort, Lsn } from '../journal-port.ts';
import { PublishScan, type ScannedPublish } from './publish-scan.ts';

/** Publishes remembered per client: more than clients keep in flight. */
const PER_CLIENT = 128;
const CLIENTS_MAX = 4096;

class ClientMemory {
  readonly packetIds = new Uint16Array(PER_CLIENT);
  readonly lsns = new Float64Array(PER_CLIENT);
  count = 0;
}

export class RecentPublishes {
  readonly #journal: Pick<JournalPort, 'entryAt'>;
  readonly #scan: PublishScan;
  readonly #clients = new Map<string, ClientMemory>();

  constructor(journal: Pick<JournalPort, 'entryAt'>, hub: Origin) {
    this.#journal = journal;
    this.#scan = new PublishScan(hub);
  }

  /** LSN under which this very publish is journaled, where that is known; `key` is the topic as a CBOR text. */
  find(clientId: string, packetId: number, key: Uint8Array, payload: Uint8Array): Lsn | undefined {
    const lsn = this.#newest(clientId, packetId);
    if (lsn === undefined) return undefined;
    const publish = this.#publishAt(lsn);
    if (publish === undefined || !bytesEqual(publish.payload, payload)) return undefined;
    const topic = key.subarray(key.length - publish.topic.length);
    return bytesEqual(publish.topic, topic) ? lsn : undefined;
  }

  #publishAt(lsn: Lsn): ScannedPublish | undefined {
    try {
      const entry = this.#journal.entryAt(lsn);
      return entry && this.#scan.read(entry);
    } catch (error) {
      if (error instanceof HubError) return undefined; // Damaged: it is journaled again.
      throw error;
    }
  }

  #newest(clientId: string, packetId: number): Lsn | undefined {
    const memory = this.#clients.get(clientId);
    if (memory === undefined) return undefined;
    const oldest = Math.max(0, memory.count - PER_CLIENT);
    for (let index = memory.count - 1; index >= oldest; index--) {
      const slot = index % PER_CLIENT;
      if (memory.packetIds[slot] === packetId) return memory.lsns[slot];
    }
    return undefined;
  }

  note(clientId: string, packetId: number, lsn: Lsn): void {
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
    memory.lsns[slot] = lsn;
    memory.count += 1;
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

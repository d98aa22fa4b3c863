/**
 * Reads the messages of this hub's own devices out of journal entries, as the door has written them, without
 * making objects of what is not asked for: a device that comes back after a week gets a hundred thousand of them.
 * They are the events of this hub, and those of other origins that have a delivery: devices with the SDK handed them in here. What is
 * none (other ops of other origins, what the hub itself has journaled, what was given back, local entries) is passed over.
 */
import { LOG } from '../../model/class.ts';
import { decodeEntry, isOfNobody, LOCAL_ENTRY } from '../../model/entry.ts';
import { EVENT } from '../../model/op.ts';
import { bytesOfOrigin, type Origin } from '../../model/origin.ts';

/** Where the parts of the op lie: `83 00 88 48 origin class …`. */
const ORIGIN_AT = 4;
const CLASS_AT = 12;
const SEQ_AT = 13;
/** `48 hlc`, and `83` with the one-byte clock quality. */
const HLC_BYTES = 9;
const CLOCK_HEAD_BYTES = 2;

export interface ScannedPublish {
  /** UTF-8. */
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly clientId: string;
  readonly packetId: number;
}

export class PublishScan {
  readonly #hub: Uint8Array;
  #at = 0;

  constructor(hub: Origin) {
    this.#hub = bytesOfOrigin(hub);
  }

  /** The publish in an entry, undefined where there is none; what it holds aliases the entry. */
  read(entry: Uint8Array): ScannedPublish | undefined {
    const isOp = entry[1] === 0 && entry[2] === 0x88 && entry[CLASS_AT] !== LOG;
    if (!isOp || (entry[0] !== 0x84 && !this.#isOfHub(entry))) return undefined;
    this.#at = SEQ_AT;
    this.#head(entry); // seq
    this.#at += HLC_BYTES + CLOCK_HEAD_BYTES;
    this.#head(entry); // boot id
    this.#head(entry); // monotonic ms
    if (this.#head(entry) !== EVENT) return undefined;
    const topic = this.#take(entry);
    const payload = this.#take(entry);
    if (entry[0] === 0x83) {
      return { topic, payload, qos: 1, retain: false, clientId: '', packetId: 0 };
    }
    const decoded = decodeEntry(entry);
    const delivery = decoded.type === 'op' ? decoded.delivery : undefined;
    if (delivery === undefined || (isOfNobody(delivery) && this.#isOfHub(entry))) return undefined;
    return { topic, payload, ...delivery };
  }

  #isOfHub(entry: Uint8Array): boolean {
    for (let i = 0; i < 8; i++) if (entry[ORIGIN_AT + i] !== this.#hub[i]) return false;
    return true;
  }

  #take(entry: Uint8Array): Uint8Array {
    const length = this.#head(entry);
    const start = this.#at;
    this.#at = start + length;
    return entry.subarray(start, start + length);
  }

  /** Argument of a CBOR head. */
  #head(entry: Uint8Array): number {
    const info = (entry[this.#at++] as number) & 0x1f;
    if (info < 24) return info;
    let value = 0;
    for (let bytes = 1 << (info - 24); bytes > 0; bytes--) {
      value = value * 256 + (entry[this.#at++] as number);
    }
    return value;
  }
}

/** The body of a local entry, undefined where the entry is none. */
export function localBody(entry: Uint8Array): Uint8Array | undefined {
  return entry[0] === 0x82 && entry[1] === LOCAL_ENTRY ? entry.subarray(2) : undefined;
}

/**
 * Encodes the hub's own ops as journal entries, by hand into one buffer: this runs for every message. The
 * bytes are those of `encodeOpEntry(encodeOp(op), stamp)` (a property test compares); what is the same in
 * every op of this boot is encoded once.
 *
 *   83 00                              entry: array of 3, type op
 *     88 48 origin class seq 48 hlc    op (WIRE.cddl)
 *        83 quality boot-id monotonic-ms kind key body
 *     84 48 hub 48 hlc authority epoch stamp, of the same moment
 *
 * An op with a delivery begins with 84 instead, and the delivery is its last item: a publish that was not simply QoS 1, an
 * event of a device with the SDK, or one that the hub itself has made.
 */
import { assert } from '../../base/assert.ts';
import type { ClockQuality } from '../../base/clock.ts';
import { CborWriter } from '../../codec/writer.ts';
import type { OpClass } from '../../model/class.ts';
import { DELIVERY_OF_NOBODY } from '../../model/entry.ts';
import type { Hlc } from '../../model/hlc.ts';
import type { Kind } from '../../model/op.ts';
import { bytesOfOrigin, type Origin } from '../../model/origin.ts';

export interface OwnOp {
  readonly class: OpClass;
  readonly seq: number;
  readonly hlc: Hlc;
  readonly quality: ClockQuality;
  /** Whole milliseconds since the boot. */
  readonly monotonicMs: number;
  readonly kind: Kind;
  /** The key as a CBOR text. */
  readonly key: Uint8Array;
  readonly body: Uint8Array;
  readonly authority: number;
  /** The encoded delivery, where it is not simply a publish of QoS 1. */
  readonly delivery?: Uint8Array | undefined;
}

/** An op that somebody else has made. */
interface AcceptedOp {
  readonly bytes: Uint8Array;
  readonly authority: number;
  /** Whether this hub's own sessions get it, which of others' ops only the entry can say. */
  readonly isMessage: boolean;
}

const QUALITY_CODE: Record<ClockQuality, number> = { unknown: 0, rtc: 1, peer: 2, ntp: 3 };
/** More than all heads, ids and times of an entry take together. */
const FRAME_BYTES = 128;
const BYTES_HEAD = 0x40;
const TWO_32 = 0x100000000;
/** Up to here a loop copies sooner than `set` has begun. */
const SHORT_BYTES = 48;

export class OpEntryEncoder {
  readonly #prefix: Uint8Array;
  readonly #bootId: Uint8Array;
  readonly #stampPrefix: Uint8Array;
  readonly #rosterEpoch: () => number;
  #buffer = new Uint8Array(4096);
  #view = new DataView(this.#buffer.buffer);
  #at = 0;
  #last = this.#buffer.subarray(0, 0);

  constructor(hub: Origin, bootId: number, rosterEpoch: () => number = () => 0) {
    this.#rosterEpoch = rosterEpoch;
    const id = bytesOfOrigin(hub);
    this.#prefix = new CborWriter(16).array(3).uint(0).array(8).bytes(id).finish();
    this.#bootId = new CborWriter(8).uint(bootId).finish();
    this.#stampPrefix = new CborWriter(16).array(4).bytes(id).finish();
  }

  /** The entry of an op of this hub; valid until the next call. */
  own(op: OwnOp): Uint8Array {
    const { delivery } = op;
    this.#begin(op.key.length + op.body.length + (delivery?.length ?? 0));
    this.#raw(this.#prefix);
    if (delivery !== undefined) this.#buffer[0] = 0x84;
    this.#byte(op.class);
    this.#head(0, op.seq);
    this.#hlc(op.hlc);
    this.#byte(0x83);
    this.#byte(QUALITY_CODE[op.quality]);
    this.#raw(this.#bootId);
    this.#head(0, op.monotonicMs);
    this.#byte(op.kind);
    this.#raw(op.key);
    this.#head(BYTES_HEAD, op.body.length);
    this.#raw(op.body);
    this.#stamp(op.hlc, op.authority);
    if (delivery !== undefined) this.#raw(delivery);
    return this.#entry();
  }

  /** The entry of somebody else's op, whose bytes stay as they came; valid until the next call. */
  accepted({ bytes, authority, isMessage }: AcceptedOp, hlc: Hlc): Uint8Array {
    this.#begin(bytes.length);
    this.#byte(isMessage ? 0x84 : 0x83);
    this.#byte(0);
    this.#raw(bytes);
    this.#stamp(hlc, authority);
    if (isMessage) this.#raw(DELIVERY_OF_NOBODY);
    return this.#entry();
  }

  #stamp(hlc: Hlc, authority: number): void {
    assert(authority > 0 && authority < 24, 'an authority is one of four');
    this.#raw(this.#stampPrefix);
    this.#hlc(hlc);
    this.#byte(authority);
    this.#head(0, this.#rosterEpoch());
  }

  /** What was written. Most entries of a hub are as long as the one before: a view costs more than comparing. */
  #entry(): Uint8Array {
    if (this.#last.length !== this.#at) this.#last = this.#buffer.subarray(0, this.#at);
    return this.#last;
  }

  #begin(contentBytes: number): void {
    this.#at = 0;
    const needed = contentBytes + FRAME_BYTES;
    if (needed <= this.#buffer.length) return;
    this.#buffer = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    this.#view = new DataView(this.#buffer.buffer);
    this.#last = this.#buffer.subarray(0, 0);
  }

  #byte(byte: number): void {
    this.#buffer[this.#at++] = byte;
  }

  #raw(bytes: Uint8Array): void {
    const { length } = bytes;
    const at = this.#at;
    this.#at = at + length;
    if (length > SHORT_BYTES) {
      this.#buffer.set(bytes, at);
      return;
    }
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) buffer[at + i] = bytes[i] as number;
  }

  #hlc(hlc: Hlc): void {
    const at = this.#at;
    this.#buffer[at] = BYTES_HEAD | 8;
    this.#view.setUint16(at + 1, Math.floor(hlc.ms / TWO_32));
    this.#view.setUint32(at + 3, hlc.ms % TWO_32);
    this.#view.setUint16(at + 7, hlc.counter);
    this.#at = at + 9;
  }

  /** A head of the major type `major` (its three high bits). */
  #head(major: number, argument: number): void {
    const at = this.#at;
    if (argument < 24) {
      this.#buffer[at] = major | argument;
      this.#at = at + 1;
    } else if (argument < 0x100) {
      this.#buffer[at] = major | 24;
      this.#buffer[at + 1] = argument;
      this.#at = at + 2;
    } else if (argument < 0x10000) {
      this.#buffer[at] = major | 25;
      this.#view.setUint16(at + 1, argument);
      this.#at = at + 3;
    } else if (argument < TWO_32) {
      this.#buffer[at] = major | 26;
      this.#view.setUint32(at + 1, argument);
      this.#at = at + 5;
    } else {
      this.#buffer[at] = major | 27;
      this.#view.setUint32(at + 1, Math.floor(argument / TWO_32));
      this.#view.setUint32(at + 5, argument % TWO_32);
      this.#at = at + 9;
    }
  }
}

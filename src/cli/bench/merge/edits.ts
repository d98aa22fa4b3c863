/**
 * The work of a field team, for `heliograph bench apply`: twenty devices edit work orders; where it is crowded, a third of all
 * edits meet in one of them. Half of the patches tell what they had seen, some ops take back others, as people do.
 */
import { CborWriter } from '../../../codec/writer.ts';
import { encodeAssetVersion } from '../../../merge/asset/asset-version.ts';
import type { OpId } from '../../../merge/op-id.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../merge/patch.ts';
import { RECORD } from '../../../model/class.ts';
import {
  ADD,
  ASSET,
  encodeOp,
  KIND_NAMES,
  type Kind,
  type KindName,
  PATCH,
  REMOVE,
  UNDO,
} from '../../../model/op.ts';
import { originOfText, type Origin } from '../../../model/origin.ts';

export interface Edit {
  readonly id: OpId;
  readonly kind: KindName;
  readonly isOnBusy: boolean;
}

/** Ops of one device, as it would send them. */
interface EditMessage {
  readonly device: string;
  readonly bytes: Uint8Array;
  readonly edits: readonly Edit[];
}

/** Where the team works. */
export interface Orders {
  readonly count: number;
  /** Whether a third of all edits meet in one of them. */
  readonly isCrowded: boolean;
}

/** The last op on a record, and which write of which field stood before it. */
interface LastOp {
  readonly id: OpId;
  readonly before?: readonly [place: string, id: OpId];
}

const DEVICES = 20;
const FIELDS = 8;
const MESSAGE_OPS = 100;
const BUSY_KEY = 'order/busy';
/** Every so many ops of a device are of that kind; the others are patches. */
const EVERY: readonly (readonly [number, Kind])[] = [
  [97, REMOVE],
  [23, UNDO],
  [19, ASSET],
  [7, ADD],
];
/** Between two edits, by the clocks of those who make them. */
export const STEP_MS = 10;
const FIELDS_STRIDE = 13;
/** Prime, so that the orders take turns that no device keeps. */
const STRIDE = 7_919;

export class Edits {
  readonly #beganMs: number;
  readonly #orders: Orders;
  readonly #seqs = new Map<Origin, number>();
  /** The last write of each field of each record, and the last op of each record. */
  readonly #lastWrites = new Map<string, OpId>();
  readonly #lastOps = new Map<string, LastOp>();
  #made = 0;

  constructor(beganMs: number, orders: Orders) {
    this.#beganMs = beganMs;
    this.#orders = orders;
  }

  /** The next message: a hundred edits of the device whose turn it is. */
  next(): EditMessage {
    const turn = this.#made / MESSAGE_OPS;
    const device = turn % DEVICES;
    const origin = originOf(device);
    const writer = new CborWriter(1 << 15).array(MESSAGE_OPS);
    const edits: Edit[] = [];
    for (let i = 0; i < MESSAGE_OPS; i++) edits.push(this.#edit(origin, writer));
    return { device: `phone-${device}`, bytes: writer.finish(), edits };
  }

  #edit(origin: Origin, writer: CborWriter): Edit {
    const count = this.#made++;
    const seq = (this.#seqs.get(origin) ?? 0) + 1;
    this.#seqs.set(origin, seq);
    const isOnBusy = this.#orders.isCrowded && count % 3 === 0;
    const key = isOnBusy ? BUSY_KEY : `order/${(count * STRIDE) % this.#orders.count}`;
    const id: OpId = { origin, class: RECORD, seq };
    const { kind, body } = this.#content(key, count, id);
    const ms = this.#beganMs + count * STEP_MS;
    const clock = { quality: 'ntp', bootId: 1, monotonicMs: count * STEP_MS } as const;
    writer.raw(encodeOp({ ...id, hlc: { ms, counter: 0 }, clock, kind, key, body }));
    return { id, kind: KIND_NAMES[kind], isOnBusy };
  }

  #content(
    key: string,
    count: number,
    id: OpId,
  ): { readonly kind: Kind; readonly body: Uint8Array } {
    const kind = EVERY.find(([every]) => count % every === 0)?.[1] ?? PATCH;
    const last = this.#lastOps.get(key);
    this.#lastOps.set(key, { id });
    if (kind === REMOVE) return { kind, body: new Uint8Array(0) };
    if (kind === ADD) return { kind, body: encodeAdd({ hours: (count % 5) + 1 }) };
    if (kind === UNDO && last !== undefined) {
      // Who writes next has before its eyes what stood there before.
      if (last.before !== undefined) this.#lastWrites.set(...last.before);
      return { kind, body: encodeUndo([last.id]) };
    }
    if (kind === ASSET) {
      const sha256 = new Uint8Array(32).fill(count % 256);
      return { kind, body: encodeAssetVersion({ sha256, size: count + 1, type: 'image/jpeg' }) };
    }
    const field = `field-${Math.floor(count / FIELDS_STRIDE) % FIELDS}`;
    const place = `${key} ${field}`;
    const seen = this.#lastWrites.get(place);
    this.#lastWrites.set(place, id);
    this.#lastOps.set(key, seen === undefined ? { id } : { id, before: [place, seen] });
    const fields = { [field]: `what somebody writes in a work order, ${count}` };
    if (count % 2 === 0) return { kind: PATCH, body: encodePatch(fields) };
    const told = { [field]: seen === undefined ? [] : [seen] };
    return { kind: PATCH, body: encodePatch(fields, told) };
  }
}

function originOf(device: number): Origin {
  const text = (device + 1).toString(16).padStart(2, '0').repeat(8);
  return originOfText(text) as Origin;
}

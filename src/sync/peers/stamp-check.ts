/**
 * Levels out the stamps of the ops that two hubs both hold (PEERS.md §3): each may have accepted an op, or got it from
 * somebody, before they met, and the smaller stamp counts. The hub that dialled asks: it tells what the stamps of a range
 * come to, the other names the ranges that differ, the asker splits those, and where they are small enough the stamps
 * themselves travel. So a site on which all agree costs some bytes for a thousand ops, once; what was found equal is not
 * asked for again.
 */
import { type Timers, turn } from '../../base/clock.ts';
import { bytesEqual } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { OpStamp } from '../../merge/op-stamps.ts';
import { BULK, LOG, PREVIEW, TELEMETRY } from '../../model/class.ts';
import { type Lane, splitLane } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { PeerRange, PeerStamps } from './contract.ts';
import {
  type PeerMessage,
  RANGE_OPS_MAX,
  RANGES_MAX,
  SMALL_RANGE_OPS,
  STAMPS_MAX,
} from './peer-message.ts';

interface StampCheckOptions {
  readonly stamps: PeerStamps;
  readonly timers: Timers;
  readonly send: (message: StampMessage) => void;
  /** These were taken over: others may not have them. */
  readonly onTaken: (stamps: readonly OpStamp[]) => void;
}

type StampMessage = Extract<PeerMessage, { kind: 'compare' | 'differ' | 'stamps' }>;

/** Ops of these classes are not on records. */
const OTHER_CLASSES: ReadonlySet<number> = new Set([TELEMETRY, PREVIEW, BULK, LOG]);

export class StampCheck {
  readonly #options: StampCheckOptions;
  #isOver = false;
  #isAnswering = false;
  /** Ranges that are still to be asked for, and what to do when none is left. */
  #open: PeerRange[] = [];
  #asked: readonly PeerRange[] = [];
  #number = 0;
  #isEqual = true;
  #onDone: ((isEqual: boolean) => void) | undefined;

  constructor(options: StampCheckOptions) {
    this.#options = options;
  }

  close(): void {
    this.#isOver = true;
  }

  /** Asks for what both hold beyond what was found equal before; `onDone` hears whether all of it was. */
  ask(both: VersionVector, before: VersionVector, onDone: (isEqual: boolean) => void): void {
    this.#onDone = onDone;
    this.#isEqual = true;
    for (const [lane, to] of both) {
      if (OTHER_CLASSES.has(splitLane(lane).class)) continue;
      this.#open.push(...split({ lane, from: seqIn(before, lane) + 1, to }, RANGE_OPS_MAX));
    }
    void this.#guarded(() => this.#askNext());
  }

  /** Stamps of ops that are here already, or that we have taken over from others. */
  tell(stamps: readonly OpStamp[]): void {
    for (let at = 0; at < stamps.length; at += STAMPS_MAX) {
      this.#options.send({ kind: 'stamps', stamps: stamps.slice(at, at + STAMPS_MAX) });
    }
  }

  /** Takes over what is smaller, and tells of what is smaller here. */
  #take(stamps: readonly OpStamp[]): void {
    if (this.#isOver || stamps.length === 0) return;
    const { taken, smallerHere } = this.#options.stamps.take(stamps);
    if (taken.length > 0) this.#options.onTaken(taken);
    this.tell(smallerHere);
  }

  handle(message: StampMessage): void {
    void this.#guarded(async () => {
      if (message.kind === 'stamps') this.#take(message.stamps);
      else if (message.kind === 'differ') await this.#differs(message);
      else if (!this.#isAnswering) {
        // Whoever asks again before it is answered does not keep to the protocol.
        this.#isAnswering = true;
        await this.#answer(message);
        this.#isAnswering = false;
      }
    });
  }

  async #differs({
    number,
    large,
    stamps,
  }: Extract<StampMessage, { kind: 'differ' }>): Promise<void> {
    if (number !== this.#number) return;
    if (large.length > 0 || stamps.length > 0) this.#isEqual = false;
    this.#take(stamps);
    for (const index of large) {
      const range = this.#asked[index];
      if (range !== undefined) this.#open.push(...split(range, SMALL_RANGE_OPS));
    }
    await this.#askNext();
  }

  async #askNext(): Promise<void> {
    this.#asked = this.#open.splice(0, RANGES_MAX);
    if (this.#asked.length === 0) {
      this.#onDone?.(this.#isEqual);
      this.#onDone = undefined;
      return;
    }
    const ranges = [];
    for (const range of this.#asked) {
      await turn(this.#options.timers); // A range takes milliseconds.
      if (this.#isOver) return;
      ranges.push({ ...range, digest: this.#options.stamps.digest(range) });
    }
    this.#number += 1;
    this.#options.send({ kind: 'compare', number: this.#number, ranges });
  }

  async #answer({ number, ranges }: Extract<StampMessage, { kind: 'compare' }>): Promise<void> {
    const large: number[] = [];
    const stamps: OpStamp[] = [];
    for (const [index, range] of ranges.entries()) {
      await turn(this.#options.timers);
      if (this.#isOver) return;
      if (bytesEqual(this.#options.stamps.digest(range), range.digest)) continue;
      if (range.to - range.from >= SMALL_RANGE_OPS) large.push(index);
      else stamps.push(...this.#options.stamps.list(range));
    }
    this.#options.send({ kind: 'differ', number, large, stamps });
  }

  /** A store or journal that fails is reported by its owner; the stamps are compared when the hubs meet again. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.close();
    }
  }
}

function split({ lane, from, to }: PeerRange, opsMax: number): PeerRange[] {
  const ranges: PeerRange[] = [];
  for (let at = from; at <= to; at += opsMax) {
    ranges.push({ lane, from: at, to: Math.min(to, at + opsMax - 1) });
  }
  return ranges;
}

/** How far both have come in each lane. */
export function heldByBoth(a: VersionVector, b: VersionVector): Map<Lane, number> {
  const both = new Map<Lane, number>();
  for (const [lane, seq] of a) {
    const least = Math.min(seq, seqIn(b, lane));
    if (least > 0) both.set(lane, least);
  }
  return both;
}

/**
 * Hybrid logical clock (Kulkarni et al. 2014): 48 bits of wall milliseconds and a 16-bit counter, so that
 * order follows cause and stays near wall time. Moments far ahead of our own clock do not drag it along:
 * a device from 2099 must not push a whole site there.
 */
import { assert } from '../base/assert.ts';
import { putUint32, uint32At } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';

export interface Hlc {
  /** Milliseconds since 1970, below 2^48. */
  readonly ms: number;
  /** 0 … 65535, counts moments within one millisecond. */
  readonly counter: number;
}

export const HLC_BYTES = 8;
export const HLC_ZERO: Hlc = { ms: 0, counter: 0 };
/** How far ahead of the accepting hub an op's time may be before its stamp is used for order instead. */
export const DRIFT_MS_MAX = 5 * 60_000;
const COUNTER_MAX = 0xffff;
const MS_MAX = 2 ** 48 - 1;
/** Whatever somebody says it is: behind it time goes on. */
const SEEN_MS_MAX = MS_MAX - 2 ** 40;

export function compareHlc(a: Hlc, b: Hlc): number {
  return a.ms - b.ms || a.counter - b.counter;
}

export function encodeHlc(hlc: Hlc): Uint8Array {
  const bytes = new Uint8Array(HLC_BYTES);
  putHlc(bytes, 0, hlc);
  return bytes;
}

/** Writes the 8 bytes from `at` on. */
export function putHlc(bytes: Uint8Array, at: number, { ms, counter }: Hlc): void {
  // Byte by byte: a view costs more than all of them.
  const high = Math.floor(ms / 0x100000000);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  putUint32(bytes, at + 2, ms % 0x100000000);
  bytes[at + 6] = counter >>> 8;
  bytes[at + 7] = counter;
}

/** Undefined where the bytes are not 8. */
export function decodeHlc(bytes: Uint8Array): Hlc | undefined {
  return bytes.length === HLC_BYTES ? hlcAt(bytes, 0) : undefined;
}

/** The clock reading whose 8 bytes begin at `at`. */
export function hlcAt(bytes: Uint8Array, at: number, into = { ms: 0, counter: 0 }): Hlc {
  const byte = (offset: number): number => bytes[at + offset] as number;
  into.ms = ((byte(0) << 8) | byte(1)) * 0x100000000 + uint32At(bytes, at + 2);
  into.counter = (byte(6) << 8) | byte(7);
  return into;
}

/** The time that counts for order: the op's own, or the stamp's where the op claims to be from the future. */
export function effectiveHlc(opHlc: Hlc, stampHlc: Hlc): Hlc {
  return opHlc.ms > stampHlc.ms + DRIFT_MS_MAX ? stampHlc : opHlc;
}

export class HlcClock {
  readonly #clock: Clock;
  #last: Hlc;

  /** `last` is the newest moment this replica has issued or seen before (from its journal). */
  constructor(clock: Clock, last: Hlc = HLC_ZERO) {
    this.#clock = clock;
    this.#last = last;
  }

  get last(): Hlc {
    return this.#last;
  }

  /** What time it is, no earlier than what was issued or seen. */
  now(): Hlc {
    const ms = this.#wallMs();
    return ms > this.#last.ms ? { ms, counter: 0 } : this.#last;
  }

  /** A moment later than all that were issued or seen. */
  next(): Hlc {
    const wallMs = this.#wallMs();
    if (wallMs > this.#last.ms) this.#last = { ms: wallMs, counter: 0 };
    else if (this.#last.counter < COUNTER_MAX) {
      this.#last = { ms: this.#last.ms, counter: this.#last.counter + 1 };
    } else this.#last = { ms: this.#last.ms + 1, counter: 0 };
    assert(this.#last.ms <= MS_MAX, 'HLC milliseconds end at 2^48');
    return this.#last;
  }

  /**
   * Takes note of another replica's moment, unless it is too far ahead to be believed: of our own clock, and of what somebody
   * says it is whose word counts for more (`nowMs`).
   */
  observe(seen: Hlc, nowMs = 0): void {
    const lastMs = Math.min(SEEN_MS_MAX, Math.max(nowMs, this.#clock.wallMs()) + DRIFT_MS_MAX);
    if (seen.ms > lastMs) return;
    if (compareHlc(seen, this.#last) > 0) this.#last = seen;
  }

  #wallMs(): number {
    return Math.min(MS_MAX, Math.max(0, Math.floor(this.#clock.wallMs())));
  }
}

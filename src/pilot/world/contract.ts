/**
 * The contract of the link: bytes that it may carry in a calendar month, counted by whoever sends the bill. The hub counts for
 * itself and by its own calendar; this is what it is held to. What it had no chance to count, because it died in the
 * middle of a session, is held against nobody.
 */
import type { Clock } from '../../base/clock.ts';
import { isoTime } from '../../base/iso-time.ts';
import { type OpClass, TELEMETRY } from '../../model/class.ts';

export interface ContractUse {
  /** `2026-03`. */
  readonly month: string;
  readonly link: string;
  readonly bytes: number;
  readonly bytesMax: number | undefined;
}

const MIB = 1 << 20;
/** What the hub keeps back for what matters: previews and bulk end there, readings at the end of the month's bytes. */
const KEPT_FOR_READINGS_RATIO = 0.8;
/** The hub's save of its count may be that far behind when it dies. */
const UNSAVED_BYTES = 64 << 10;
/** Around the turn of the month a clock that jumps is in another one. */
const TURN_MS = 12 * 3_600_000;

export class Contract {
  /** Undefined: nobody counts. */
  bytesMax: number | undefined;
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #bytesByKey = new Map<string, number>();
  #session: { readonly key: string; readonly before: number } | undefined;
  #lastKey = '';
  /** Of sessions that a death ended, by month and link. */
  readonly #forgottenByKey = new Map<string, number>();

  constructor(clock: Pick<Clock, 'wallMs'>, quotaMib: number | undefined) {
    this.#clock = clock;
    this.bytesMax = quotaMib === undefined ? undefined : quotaMib * MIB;
  }

  begin(link: string): void {
    const key = `${isoTime(this.#clock.wallMs()).slice(0, 7)} ${link}`;
    this.#session = { key, before: this.#bytesByKey.get(key) ?? 0 };
    this.#lastKey = key;
  }

  end(): void {
    this.#session = undefined;
  }

  count(bytes: number): void {
    if (this.#session === undefined) return;
    const { key } = this.#session;
    this.#bytesByKey.set(key, (this.#bytesByKey.get(key) ?? 0) + bytes);
  }

  /** The hub died, in a session or with a count that was not saved yet. */
  forgotten(): void {
    const key = this.#session?.key ?? this.#lastKey;
    const counted = this.#bytesByKey.get(key) ?? 0;
    const bytes = counted - (this.#session?.before ?? counted);
    this.#forgottenByKey.set(key, (this.#forgottenByKey.get(key) ?? 0) + bytes + UNSAVED_BYTES);
    this.#session = undefined;
  }

  /** Whether a session that began now where this one began should have carried the class. */
  covers(opClass: OpClass): boolean {
    if (this.#session === undefined || this.bytesMax === undefined || opClass < TELEMETRY)
      return true;
    const { key, before } = this.#session;
    const soon = isoTime(this.#clock.wallMs() + TURN_MS);
    if (!key.startsWith(soon.slice(0, 7))) return true;
    const counted = before - (this.#forgottenByKey.get(key) ?? 0);
    return counted < this.bytesMax * (opClass === TELEMETRY ? 1 : KEPT_FOR_READINGS_RATIO);
  }

  use(): ContractUse[] {
    return [...this.#bytesByKey].map(([key, bytes]) => {
      const [month = '', link = ''] = key.split(' ');
      return { month, link, bytes, bytesMax: this.bytesMax };
    });
  }
}

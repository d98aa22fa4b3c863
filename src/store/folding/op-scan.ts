/**
 * Reads a journaled op without making an object of it: where its parts lie in the entry, and its numbers.
 * A burst brings a hundred thousand ops a second; taking each apart with model/entry.ts costs more than all
 * that follows. What is not in the plain form (WIRE.cddl `op-entry`, `copy-entry`) is not judged here: the caller hands it to
 * `decodeEntry`, which says what is wrong.
 */
import { COPY_ENTRY, OP_ENTRY } from '../../model/entry.ts';
import { DRIFT_MS_MAX } from '../../model/hlc.ts';
import { BODY_BYTES_MAX, KEY_BYTES_MAX } from '../../model/op.ts';

const ARRAY = 4;
const BYTES = 2;
const TEXT = 3;
const UINT = 0;
const BYTES_OF_8 = 0x48;
const TWO_32 = 0x100000000;
/** Beyond the end of every entry. */
const FAR = 0x3fffffff;

export class OpScan {
  bytes: Uint8Array = new Uint8Array(0);
  /** Eight bytes of origin and one of class: the lane. */
  laneAt = 0;
  class = 0;
  seq = 0;
  kind = 0;
  /** Of the maker's clock, 0 for one that was not set; of which boot; and how long after it. */
  quality = 0;
  bootId = 0;
  monotonicMs = 0;
  keyAt = 0;
  keyEnd = 0;
  bodyAt = 0;
  bodyEnd = 0;
  /** The effective HLC: the op's own, or the stamp's where the op claims to be from the future. */
  ms = 0;
  counter = 0;
  /** The op's own, whatever the stamp says. */
  ownMs = 0;
  hubAt = 0;
  stampMs = 0;
  stampCounter = 0;
  #at = 0;

  /** True where `entry` is an op in the plain form; the fields then tell of it until the next call. */
  read(entry: Uint8Array): boolean {
    this.bytes = entry;
    this.#at = 0;
    const items = this.#head(ARRAY);
    if (items !== 3 && items !== 4) return false;
    const type = this.#head(UINT);
    if (type !== OP_ENTRY && !(type === COPY_ENTRY && items === 3)) return false;
    if (this.#head(ARRAY) !== 8) return false;
    this.laneAt = this.#eight() + 1;
    // The class follows in one byte; lane bytes are read as they lie: origin, then class.
    this.class = this.#head(UINT);
    this.seq = this.#head(UINT);
    if (!(this.class <= 6) || !(this.seq > 0)) return false;
    const hlcAt = this.#eight() + 1;
    if (this.#head(ARRAY) !== 3) return false;
    this.quality = this.#head(UINT);
    this.bootId = this.#head(UINT);
    this.monotonicMs = this.#head(UINT);
    if (!(this.quality <= 3) || !(this.bootId < TWO_32) || !(this.monotonicMs >= 0)) return false;
    this.kind = this.#head(UINT);
    if (!(this.kind <= 7)) return false;
    const keyBytes = this.#head(TEXT);
    if (!(keyBytes > 0 && keyBytes <= KEY_BYTES_MAX)) return false;
    this.keyAt = this.#at;
    this.keyEnd = this.#at += keyBytes;
    const bodyBytes = this.#head(BYTES);
    if (!(bodyBytes <= BODY_BYTES_MAX)) return false;
    this.bodyAt = this.#at;
    this.bodyEnd = this.#at += bodyBytes;
    if (!this.#stamp(hlcAt)) return false;
    if (items === 4 && !this.#skipDelivery()) return false;
    return this.#at === this.bytes.length;
  }

  #stamp(hlcAt: number): boolean {
    if (this.#head(ARRAY) !== 4) return false;
    this.hubAt = this.#eight() + 1;
    const stampAt = this.#eight() + 1;
    const authority = this.#head(UINT);
    if (!(authority >= 1 && authority <= 4) || Number.isNaN(this.#head(UINT))) return false;
    if (!(this.#at <= this.bytes.length)) return false;
    const ms = this.#msAt(hlcAt);
    this.ownMs = ms;
    this.stampMs = this.#msAt(stampAt);
    this.stampCounter = this.#counterAt(stampAt);
    const isFuture = ms > this.stampMs + DRIFT_MS_MAX;
    this.ms = isFuture ? this.stampMs : ms;
    this.counter = isFuture ? this.stampCounter : this.#counterAt(hlcAt);
    return true;
  }

  /** What the broker must know of a publish is nothing to fold. */
  #skipDelivery(): boolean {
    if (this.#head(ARRAY) !== 3) return false;
    const flags = this.#head(UINT);
    const isQos = (flags & 3) === 1 || (flags & 3) === 2;
    if (!isQos || !(flags <= 7)) return false;
    const clientIdBytes = this.#head(TEXT);
    this.#at += clientIdBytes;
    return this.#head(UINT) <= 65_535;
  }

  /** Argument of a head of the major type, in its shortest form; NaN for all else. */
  #head(major: number): number {
    const at = this.#at;
    const initial = this.bytes[at] as number;
    if (initial >> 5 !== major) return Number.NaN;
    const info = initial & 0x1f;
    if (info >= 24) return this.#wideHead(info);
    this.#at = at + 1;
    return info;
  }

  #wideHead(info: number): number {
    const { bytes } = this;
    const at = this.#at + 1;
    const width = 1 << (info - 24);
    if (info > 27 || at + width > bytes.length) return Number.NaN;
    this.#at = at + width;
    if (width === 1) return atLeast(24, bytes[at] as number);
    if (width === 2)
      return atLeast(0x100, ((bytes[at] as number) << 8) | (bytes[at + 1] as number));
    if (width === 4) return atLeast(0x10000, this.#uint32At(at));
    const argument = this.#uint32At(at) * TWO_32 + this.#uint32At(at + 4);
    return argument <= Number.MAX_SAFE_INTEGER ? atLeast(TWO_32, argument) : Number.NaN;
  }

  /** Steps over a byte string of eight and returns where its head lies. */
  #eight(): number {
    const at = this.#at;
    // What is not such a string puts the end out of reach, so that `read` says no.
    this.#at = this.bytes[at] === BYTES_OF_8 ? at + 9 : FAR;
    return at;
  }

  #msAt(at: number): number {
    const b = this.bytes;
    const high = ((b[at] as number) << 8) | (b[at + 1] as number);
    return high * TWO_32 + this.#uint32At(at + 2);
  }

  #counterAt(at: number): number {
    return ((this.bytes[at + 6] as number) << 8) | (this.bytes[at + 7] as number);
  }

  #uint32At(at: number): number {
    const b = this.bytes;
    return (
      (((b[at] as number) << 24) |
        ((b[at + 1] as number) << 16) |
        ((b[at + 2] as number) << 8) |
        (b[at + 3] as number)) >>>
      0
    );
  }
}

function atLeast(least: number, argument: number): number {
  return argument >= least ? argument : Number.NaN;
}

/**
 * Seals the blocks of a journal with AES-256-GCM under the keys of epochs (journal/FORMAT.md §8), one seal for a group
 * commit: 30 µs for 64 KiB, nothing for an op.
 *
 *   sealed payload   counter (8 bytes) │ ciphertext │ tag (16 bytes)
 *
 * The nonce is the counter behind four zeros. A counter belongs to one key, a key to one run, and a block that is
 * written again (a full disk that healed) takes the next one: so no nonce repeats. Segment number and first LSN are
 * associated data, so a block that was moved does not open.
 *
 * Epochs change between segments only, at the limits below, and at every open. `SealOpener` alone reads and never makes a key.
 */
import { assert, must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { DataKey, EpochKeys, KeyMaking, KeySearch } from './epochs.ts';
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, openGcm, sealGcmInto } from './wrapping.ts';

/**
 * A key is destroyed when the last of its segments is released, so an epoch is how much lies open longer than it has
 * to: four segments of the usual size. (The cipher itself would allow a thousand times as much under one key.)
 */
export const EPOCH_BYTES_MAX = 64 << 20;
/** On a quiet site an epoch is a day: what `keep_days` lets go of on a day is unreadable on the next. */
export const EPOCH_MS_MAX = 86_400_000;

const COUNTER_BYTES = 8;
/** Bytes that a seal adds to a payload. */
export const SEAL_BYTES = COUNTER_BYTES + GCM_TAG_BYTES;
/** Keys kept in memory for reading. */
const OPENED_MAX = 32;
const AAD_BYTES = 16;
const TWO_32 = 0x100000000;

interface SegmentKey {
  readonly epoch: number;
  readonly keyring: Uint8Array;
}

/** Opens what a journal sealed, with the keys that are there. */
export class SealOpener {
  readonly #keys: Pick<EpochKeys, 'find'>;
  readonly #opened = new Map<number, { readonly id: string; readonly found: KeySearch }>();

  constructor(keys: Pick<EpochKeys, 'find'>) {
    this.#keys = keys;
  }

  /** Why payloads of this epoch cannot be opened; undefined where they can. */
  missing(epoch: number, keyring: Uint8Array): string | undefined {
    if (epoch === 0) return undefined;
    const found = this.#find(epoch, keyring);
    return found.kind === 'missing' ? found.why : undefined;
  }

  open(
    epoch: number,
    keyring: Uint8Array,
    segment: number,
    firstLsn: number,
    sealed: Uint8Array,
  ): Uint8Array | undefined {
    if (epoch === 0) return sealed;
    const found = this.#find(epoch, keyring);
    if (found.kind === 'missing' || sealed.length < SEAL_BYTES) return undefined;
    const nonce = new Uint8Array(GCM_NONCE_BYTES);
    nonce.set(sealed.subarray(0, COUNTER_BYTES), GCM_NONCE_BYTES - COUNTER_BYTES);
    return openGcm(found.key, nonce, placeOf(segment, firstLsn), sealed.subarray(COUNTER_BYTES));
  }

  #find(epoch: number, keyring: Uint8Array): KeySearch {
    const id = Buffer.from(keyring).toString('hex');
    const known = this.#opened.get(epoch);
    if (known?.id === id) return known.found;
    const found = this.#keys.find(epoch, keyring);
    if (this.#opened.size >= OPENED_MAX) this.#opened.clear();
    if (found.kind === 'found') this.#opened.set(epoch, { id, found });
    return found;
  }
}

interface JournalSealerOptions extends KeyMaking {
  readonly keys: EpochKeys;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** A key that this run seals with. */
interface Sealing extends DataKey {
  readonly sinceMs: number;
  counter: number;
  sealedBytes: number;
}

/** Satisfies the `Sealer` of the journal. One for each open of a journal. */
export class JournalSealer extends SealOpener {
  readonly overheadBytes = SEAL_BYTES;
  readonly #options: JournalSealerOptions;
  readonly #sealingByEpoch = new Map<number, Sealing>();
  #current: Sealing | undefined;
  /** What `seal` returns lies in here until the next call. */
  #sealed = new Uint8Array(0);
  #highestEpoch = 0;

  constructor(options: JournalSealerOptions) {
    super(options.keys);
    this.#options = options;
  }

  /** Begins a run: the next segment gets a new key, above every epoch that the journal's segments name. */
  begin(highestEpoch: number): void {
    this.#highestEpoch = Math.max(highestEpoch, this.#options.keys.highestEpoch);
    this.#sealingByEpoch.clear();
    this.#current = undefined;
  }

  /** Epoch and key id for the header of a segment that is made now. Throws what the disk throws. */
  forNewSegment(): SegmentKey {
    const current = this.#current;
    const { epoch, id } = current !== undefined && this.#isFresh(current) ? current : this.#next();
    return { epoch, keyring: id };
  }

  seal(epoch: number, segment: number, firstLsn: number, plain: Uint8Array): Uint8Array {
    const sealing = must(this.#sealingByEpoch.get(epoch), 'segments of this run have its keys');
    sealing.counter += 1;
    sealing.sealedBytes += plain.length;
    const nonce = Buffer.alloc(GCM_NONCE_BYTES);
    nonce.writeUInt32BE(Math.floor(sealing.counter / TWO_32), 4);
    nonce.writeUInt32BE(sealing.counter % TWO_32, 8);
    const length = plain.length + SEAL_BYTES;
    if (this.#sealed.length < length) this.#sealed = new Uint8Array(2 * length);
    this.#sealed.set(nonce.subarray(GCM_NONCE_BYTES - COUNTER_BYTES));
    const aad = placeOf(segment, firstLsn);
    sealGcmInto(this.#sealed, COUNTER_BYTES, { key: sealing.key, nonce, aad, plain });
    return this.#sealed.subarray(0, length);
  }

  /** Destroys the keys of all epochs but those in use, and this run's newest. */
  keepOnly(isInUse: (epoch: number) => boolean): void {
    const isKept = (epoch: number): boolean => epoch === this.#current?.epoch || isInUse(epoch);
    for (const epoch of this.#sealingByEpoch.keys()) {
      if (!isKept(epoch)) this.#sealingByEpoch.delete(epoch);
    }
    this.#options.keys.keepOnly(isKept);
  }

  #isFresh({ sinceMs, sealedBytes }: Sealing): boolean {
    const ageMs = this.#options.clock.monotonicMs() - sinceMs;
    return sealedBytes < EPOCH_BYTES_MAX && ageMs < EPOCH_MS_MAX;
  }

  #next(): Sealing {
    const { keys, clock } = this.#options;
    const epoch = this.#highestEpoch + 1;
    assert(!this.#sealingByEpoch.has(epoch), 'an epoch has one key');
    const key = keys.create(epoch, this.#options);
    this.#highestEpoch = epoch;
    this.#current = { ...key, sinceMs: clock.monotonicMs(), counter: 0, sealedBytes: 0 };
    this.#sealingByEpoch.set(epoch, this.#current);
    return this.#current;
  }
}

function placeOf(segment: number, firstLsn: number): Uint8Array {
  const aad = Buffer.alloc(AAD_BYTES);
  aad.writeUInt32BE(Math.floor(segment / TWO_32), 0);
  aad.writeUInt32BE(segment % TWO_32, 4);
  aad.writeUInt32BE(Math.floor(firstLsn / TWO_32), 8);
  aad.writeUInt32BE(firstLsn % TWO_32, 12);
  return aad;
}

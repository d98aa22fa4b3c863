/**
 * Root over a growing list of leaves (RFC 9162 §2.1.1), of which little is kept: the hashes of up to 256 leaves, which are
 * folded together, and of larger complete subtrees one for each bit of their count.
 */
import { foldHashes } from './lanes/node-lanes.ts';
import { EMPTY_ROOT, HASH_BYTES, leafHashInto, nodeHash } from './merkle.ts';

const OPEN_MAX = 256;

export class TreeHasher {
  /** Hashes of the newest leaves. */
  readonly #open = new Uint8Array(OPEN_MAX * HASH_BYTES);
  #openCount = 0;
  /** Roots of the subtrees before them, the largest first: one for each bit that is set in their count of 256 leaves. */
  readonly #subtrees: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(leaf: Uint8Array): void {
    if (this.#openCount === OPEN_MAX) this.#foldOpen();
    leafHashInto(this.#open, this.#openCount * HASH_BYTES, leaf);
    this.#openCount += 1;
    this.#size += 1;
  }

  /** The hash of the leaf that was added last. */
  get lastLeaf(): Uint8Array {
    return this.#open.slice((this.#openCount - 1) * HASH_BYTES, this.#openCount * HASH_BYTES);
  }

  /** Root over all leaves so far; adding may go on. The root of no leaves is the hash of nothing. */
  root(): Uint8Array {
    if (this.#size === 0) return EMPTY_ROOT;
    const parts = [...this.#subtrees];
    let first = 0;
    for (let count = OPEN_MAX; count >= 1; count /= 2) {
      if ((this.#openCount & count) === 0) continue;
      parts.push(foldHashes(this.#open, first, count));
      first += count;
    }
    return parts.reduceRight((right, left) => nodeHash(left, right));
  }

  #foldOpen(): void {
    let subtree = foldHashes(this.#open, 0, OPEN_MAX);
    // Each trailing one bit of the count before is a subtree as large as what has gathered so far.
    for (let rest = this.#size / OPEN_MAX - 1; rest % 2 === 1; rest = (rest - 1) / 2) {
      subtree = nodeHash(this.#subtrees.pop() as Uint8Array, subtree);
    }
    this.#subtrees.push(subtree);
    this.#openCount = 0;
  }
}

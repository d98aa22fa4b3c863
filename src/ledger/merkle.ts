/**
 * Merkle tree hash of RFC 9162 §2.1.1 over a growing list of leaves. Leaves and nodes are hashed with
 * different prefixes, so that a node can never pose as a leaf. Only the hashes of the complete subtrees on
 * the right edge are kept: 32 bytes for each bit of the count, whatever the number of leaves.
 */
import { hash } from 'node:crypto';

export const HASH_BYTES = 32;
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** Prefix and leaf side by side: one call of the hash costs less than two updates of it. */
let leafInput = new Uint8Array(1_024);
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
nodeInput[0] = NODE_PREFIX;

export function leafHash(leaf: Uint8Array): Uint8Array {
  if (leafInput.length <= leaf.length) leafInput = new Uint8Array(2 * leaf.length);
  leafInput[0] = LEAF_PREFIX;
  leafInput.set(leaf, 1);
  return sha256(leafInput.subarray(0, leaf.length + 1));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/** By way of a text of one character a byte: making the buffer costs Node more than making the hash. */
function sha256(bytes: Uint8Array): Uint8Array {
  const text = hash('sha256', bytes, 'binary');
  const digest = new Uint8Array(HASH_BYTES);
  for (let i = 0; i < HASH_BYTES; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

/** Root of a tree without leaves. */
export const EMPTY_ROOT = sha256(new Uint8Array(0));

export class TreeHasher {
  /** Roots of the complete subtrees, the largest first: one for each bit that is set in `size`. */
  readonly #subtrees: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The leaf's hash, for whoever needs it too. */
  add(leaf: Uint8Array): Uint8Array {
    const added = leafHash(leaf);
    let subtree = added;
    // Each trailing one bit of the old size is a subtree as large as what has gathered so far.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      subtree = nodeHash(this.#subtrees.pop() as Uint8Array, subtree);
    }
    this.#subtrees.push(subtree);
    this.#size += 1;
    return added;
  }

  /** Root over all leaves so far; adding may go on. The root of no leaves is the hash of nothing. */
  root(): Uint8Array {
    const smallest = this.#subtrees.at(-1);
    if (smallest === undefined) return EMPTY_ROOT;
    let root = smallest;
    for (let at = this.#subtrees.length - 2; at >= 0; at--) {
      root = nodeHash(this.#subtrees[at] as Uint8Array, root);
    }
    return root;
  }
}

export function treeRoot(leaves: Iterable<Uint8Array>): Uint8Array {
  const tree = new TreeHasher();
  for (const leaf of leaves) tree.add(leaf);
  return tree.root();
}

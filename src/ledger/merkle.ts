/**
 * The two hashes of RFC 9162 §2.1.1. Leaves and nodes are hashed with different prefixes, so that a node can never pose as
 * a leaf.
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
  const digest = new Uint8Array(HASH_BYTES);
  leafHashInto(digest, 0, leaf);
  return digest;
}

/** Writes the leaf's hash into a row of hashes, from byte `at` on. */
export function leafHashInto(hashes: Uint8Array, at: number, leaf: Uint8Array): void {
  if (leafInput.length <= leaf.length) leafInput = new Uint8Array(2 * leaf.length);
  leafInput[0] = LEAF_PREFIX;
  leafInput.set(leaf, 1);
  sha256Into(hashes, at, leafInput.subarray(0, leaf.length + 1));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  const digest = new Uint8Array(HASH_BYTES);
  sha256Into(digest, 0, nodeInput);
  return digest;
}

/** By way of a text of one character a byte: making the buffer costs Node more than making the hash. */
function sha256Into(hashes: Uint8Array, at: number, bytes: Uint8Array): void {
  const text = hash('sha256', bytes, 'binary');
  for (let i = 0; i < HASH_BYTES; i++) hashes[at + i] = text.charCodeAt(i);
}

/** Root of a tree without leaves. */
export const EMPTY_ROOT = new Uint8Array(HASH_BYTES);
sha256Into(EMPTY_ROOT, 0, new Uint8Array(0));

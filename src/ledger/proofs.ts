/**
 * Roots and proofs of RFC 9162 §2.1 over a tree that can be asked for the hash of any complete subtree: made
 * here by whoever has the hashes, checked here by whoever has only the proof.
 */
import { bytesEqual } from '../base/bytes.ts';
import { EMPTY_ROOT, nodeHash } from './merkle.ts';

/** Hash over the leaves `index` · 2^`level` up to (`index` + 1) · 2^`level`, all of which are there. */
type NodeReader = (level: number, index: number) => Uint8Array;

/** The root over the first `size` leaves. */
export function rootOf(node: NodeReader, size: number): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeHash(node, 0, size);
}

/** PATH of RFC 9162 §2.1.3.1: siblings from the leaf up, to show that leaf `index` is under the root of `size` leaves. */
export function inclusionProof(node: NodeReader, index: number, size: number): Uint8Array[] {
  return pathIn(node, index, 0, size);
}

/** PROOF of RFC 9162 §2.1.4.1: shows that the tree of `size` leaves begins with the tree of `oldSize`, which is at least 1. */
export function consistencyProof(node: NodeReader, oldSize: number, size: number): Uint8Array[] {
  return oldSize === size ? [] : subproof(node, oldSize, 0, size, true);
}

/** RFC 9162 §2.1.3.2. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isPlace(index, size)) return false;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = node / 2;
        last = half(last);
      }
    } else hash = nodeHash(hash, sibling);
    node = half(node);
    last = half(last);
  }
  return last === 0 && bytesEqual(hash, root);
}

/** RFC 9162 §2.1.4.2. */
export function verifyConsistency(
  old: { readonly size: number; readonly root: Uint8Array },
  grown: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isPlace(old.size, grown.size + 1) || old.size === 0) return false;
  if (old.size === grown.size) return proof.length === 0 && bytesEqual(old.root, grown.root);
  const isPower = Number.isInteger(Math.log2(old.size));
  const [first, ...rest] = isPower ? [old.root, ...proof] : proof;
  if (first === undefined) return false;
  let node = old.size - 1;
  let last = grown.size - 1;
  for (; node % 2 === 1; node = half(node)) last = half(last);
  let oldHash = first;
  let hash = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = nodeHash(sibling, oldHash);
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = node / 2;
        last = half(last);
      }
    } else hash = nodeHash(hash, sibling);
    node = half(node);
    last = half(last);
  }
  return last === 0 && bytesEqual(oldHash, old.root) && bytesEqual(hash, grown.root);
}

function rangeHash(node: NodeReader, start: number, end: number): Uint8Array {
  const count = end - start;
  const split = splitOf(count);
  if (split === count) return node(Math.log2(count), start / count);
  return nodeHash(rangeHash(node, start, start + split), rangeHash(node, start + split, end));
}

function pathIn(node: NodeReader, index: number, start: number, end: number): Uint8Array[] {
  const count = end - start;
  if (count === 1) return [];
  const middle = start + (splitOf(count) === count ? count / 2 : splitOf(count));
  return index < middle
    ? [...pathIn(node, index, start, middle), rangeHash(node, middle, end)]
    : [...pathIn(node, index, middle, end), rangeHash(node, start, middle)];
}

function subproof(
  node: NodeReader,
  oldEnd: number,
  start: number,
  end: number,
  isWhole: boolean,
): Uint8Array[] {
  const count = end - start;
  if (oldEnd === end) return isWhole ? [] : [rangeHash(node, start, end)];
  const middle = start + (splitOf(count) === count ? count / 2 : splitOf(count));
  return oldEnd <= middle
    ? [...subproof(node, oldEnd, start, middle, isWhole), rangeHash(node, middle, end)]
    : [...subproof(node, oldEnd, middle, end, false), rangeHash(node, start, middle)];
}

/** The largest power of two that is not above `count`. */
function splitOf(count: number): number {
  return 2 ** Math.floor(Math.log2(count));
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPlace(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size;
}

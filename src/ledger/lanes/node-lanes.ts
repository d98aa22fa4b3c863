/**
 * Folds rows of hashes to the hash over all of them (RFC 9162 §2.1.1), four nodes at a time. A call of Node's own hash costs
 * ten times what the hashing does; so long rows, as full tiles are, go through a small program of ours (node-program.ts) in one
 * call a level, for about a third of the time. A processor without 128-bit registers, or a Node without WebAssembly, gets
 * the same hashes by the long way.
 */
import { must } from '../../base/assert.ts';
import { HASH_BYTES, nodeHash } from '../merkle.ts';
import { HASHES_AT, nodeProgram, ROUND_CONSTANTS_AT, START_AT } from './node-program.ts';

/** The hash over `count` hashes, a power of two of them, from the one numbered `first` on. */
export type Fold = (hashes: Uint8Array, first: number, count: number) => Uint8Array;

/** Shorter rows are not worth the copy, nor having the program made. */
const COUNT_LEAST = 16;
/** Hashes that the program has room for. */
const COUNT_MAX = 1_024;

interface Program {
  readonly memory: Uint8Array;
  readonly nodes: (before: number, to: number, groups: number) => void;
}

/** What the engine has and the types of Node 20 do not say. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Record<string, unknown> };
};

/** Undefined until it is needed; null where this machine cannot run it. */
let program: Program | null | undefined;

export const foldHashes: Fold = (hashes, first, count) => {
  if (count < COUNT_LEAST || count > COUNT_MAX) return foldSlowly(hashes, first, count);
  program ??= openProgram();
  if (program === null) return foldSlowly(hashes, first, count);
  const { memory, nodes } = program;
  memory.set(hashes.subarray(first * HASH_BYTES, (first + count) * HASH_BYTES), HASHES_AT);
  for (let left = count; left > 1; left /= 2) {
    nodes(HASHES_AT - 1, HASHES_AT, Math.max(1, left / 8));
  }
  return memory.slice(HASHES_AT, HASHES_AT + HASH_BYTES);
};

/** The same, node by node. */
export const foldSlowly: Fold = (hashes, first, count) => {
  const level = hashes.slice(first * HASH_BYTES, (first + count) * HASH_BYTES);
  for (let left = count; left > 1; left /= 2) {
    for (let at = 0; at < left / 2; at++) {
      const middle = (2 * at + 1) * HASH_BYTES;
      const one = level.subarray(middle - HASH_BYTES, middle);
      const pair = nodeHash(one, level.subarray(middle, middle + HASH_BYTES));
      level.set(pair, at * HASH_BYTES);
    }
  }
  return level.slice(0, HASH_BYTES);
};

function openProgram(): Program | null {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(nodeProgram()));
    const { buffer } = exports['memory'] as { readonly buffer: ArrayBuffer };
    const primes = firstPrimes(64);
    const view = new DataView(buffer);
    for (const [index, prime] of primes.entries()) {
      view.setUint32(ROUND_CONSTANTS_AT + 4 * index, fraction(Math.cbrt(prime)), true);
    }
    for (const [index, prime] of primes.slice(0, 8).entries()) {
      view.setUint32(START_AT + 4 * index, fraction(Math.sqrt(prime)), true);
    }
    const nodes = must(exports['nodes'], 'the program has it') as Program['nodes'];
    return { memory: new Uint8Array(buffer), nodes };
  } catch {
    return null; // No lanes of 128 bits here, or no WebAssembly at all.
  }
}

/** FIPS 180-4 §4.2.2, §5.3.3: the first 32 bits behind the point of roots of the first primes. */
function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32);
}

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let number = 2; primes.length < count; number++) {
    if (primes.every((prime) => number % prime > 0)) primes.push(number);
  }
  return primes;
}

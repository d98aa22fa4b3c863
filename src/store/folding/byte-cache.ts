/**
 * Values by a piece of a byte string, looked up without cutting it out or making a text of it: topics, lanes
 * and hubs as they lie in an entry. A cache, not a map: it forgets when it is full, and keeps only a few keys of
 * one hash, so that nobody can slow it down by choosing topics. Whoever misses asks the tables.
 */
const CHAIN_MAX = 8;

interface Node<T> {
  readonly key: Uint8Array;
  readonly value: T;
}

export class ByteCache<T> {
  readonly #chains = new Map<number, Node<T>[]>();
  readonly #keysMax: number;
  #size = 0;
  /** What was found last: ops of one lane come in runs. */
  #recent: Node<T> | undefined;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  find(bytes: Uint8Array, from: number, to: number): T | undefined {
    const recent = this.#recent;
    if (recent !== undefined && isAt(recent.key, bytes, from, to)) return recent.value;
    const chain = this.#chains.get(hashOf(bytes, from, to));
    if (chain === undefined) return undefined;
    for (const node of chain) {
      if (!isAt(node.key, bytes, from, to)) continue;
      this.#recent = node;
      return node.value;
    }
    return undefined;
  }

  /** Adds what `find` did not find. */
  add(bytes: Uint8Array, from: number, to: number, value: T): void {
    if (this.#size >= this.#keysMax) this.clear();
    const hash = hashOf(bytes, from, to);
    const node = { key: bytes.slice(from, to), value };
    const chain = this.#chains.get(hash);
    this.#size += 1;
    if (chain === undefined) this.#chains.set(hash, [node]);
    else if (chain.push(node) > CHAIN_MAX) {
      chain.shift();
      this.#size -= 1;
    }
  }

  clear(): void {
    this.#chains.clear();
    this.#recent = undefined;
    this.#size = 0;
  }
}

function isAt(key: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (key.length !== to - from) return false;
  // From the end: topics begin alike.
  for (let i = key.length - 1; i >= 0; i--) if (key[i] !== bytes[from + i]) return false;
  return true;
}

/** FNV-1a, in the 30 bits that need no heap number. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & 0x3fffffff;
}

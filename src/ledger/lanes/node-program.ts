/**
 * The WebAssembly program that hashes four nodes of a Merkle tree at a time: SHA-256 (FIPS 180-4) of `01 ‖ left ‖ right`,
 * word for word in the four lanes of 128-bit registers. It is put together here instruction by instruction, so that what
 * runs can be read; node-lanes.ts loads it and knows what it is for.
 *
 * Memory: 16 words of the message, 8 of the state, each four lanes wide; then the constants, which the loader writes.
 */
export const ROUND_CONSTANTS_AT = 384;
export const START_AT = 640;
export const HASHES_AT = 1_024;
const WORDS_AT = 0;
const STATE_AT = 256;
const WORDS = 16;
const ROUNDS = 64;
const PAIR_BYTES = 64;
/** Of `01 ‖ left ‖ right`. */
const MESSAGE_BITS = 65 * 8;

/** Writes itself behind what is there: operands first, as the machine takes them. */
type Code = (out: number[]) => void;

const bytes =
  (...values: readonly number[]): Code =>
  (out) =>
    void out.push(...values);

const all =
  (...codes: readonly Code[]): Code =>
  (out) => {
    for (const code of codes) code(out);
  };

/** Unsigned LEB128. */
const uint =
  (value: number): Code =>
  (out) => {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
    out.push(rest);
  };

/** A constant, in signed LEB128. */
const i32 =
  (value: number): Code =>
  (out) => {
    out.push(0x41);
    let rest = value;
    for (; rest < -0x40 || rest >= 0x40; rest >>= 7) out.push((rest & 0x7f) | 0x80);
    out.push(rest & 0x7f);
  };

const simd = (instruction: number): Code => all(bytes(0xfd), uint(instruction));
const get = (local: number): Code => bytes(0x20, local);
const set = (local: number, value: Code): Code => all(value, bytes(0x21, local));
const plus = (a: Code, b: Code): Code => all(a, b, bytes(0x6a));
const load = (base: Code, at: number): Code => all(base, simd(0x00), bytes(0), uint(at));
/** One word, in all lanes. */
const loadSplat = (base: Code, at: number): Code => all(base, simd(0x09), bytes(0), uint(at));
const store = (base: Code, at: number, value: Code): Code =>
  all(base, value, simd(0x0b), bytes(0), uint(at));
const splat = (value: number): Code => {
  const lane = bytes(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  return all(simd(0x0c), lane, lane, lane, lane);
};
const and = (a: Code, b: Code): Code => all(a, b, simd(0x4e));
const or = (a: Code, b: Code): Code => all(a, b, simd(0x50));
const xor = (a: Code, b: Code): Code => all(a, b, simd(0x51));
const add = (a: Code, b: Code): Code => all(a, b, simd(0xae));
/** Bits of `a` where `mask` has ones, of `b` elsewhere. */
const select = (a: Code, b: Code, mask: Code): Code => all(a, b, mask, simd(0x52));
const shiftLeft = (a: Code, bits: number): Code => all(a, i32(bits), simd(0xab));
const shiftRight = (a: Code, bits: number): Code => all(a, i32(bits), simd(0xad));
const rotate = (local: number, bits: number): Code =>
  or(shiftRight(get(local), bits), shiftLeft(get(local), 32 - bits));
const xors = (a: Code, b: Code, c: Code): Code => xor(xor(a, b), c);
const sums = (...terms: readonly Code[]): Code => terms.reduce((sum, term) => add(sum, term));

const ZERO = i32(0);
const word = (index: number): number => WORDS_AT + 16 * index;
const state = (index: number): number => STATE_AT + 16 * index;

/** Four words out of eight: 0 … 3 are those of `a`, 4 … 7 those of `b`; their bytes turned around where asked for. */
function shuffle(a: Code, b: Code, words: readonly number[], turns: boolean): Code {
  const order = turns ? [3, 2, 1, 0] : [0, 1, 2, 3];
  const places = words.flatMap((at) => order.map((byte) => 4 * at + byte));
  return all(a, b, simd(0x0d), bytes(...places));
}

/** Four times four words, big-endian, row by row to column by column; `before` takes eight locals from `first` on. */
function transposed(
  rows: readonly Code[],
  first: number,
): { readonly before: Code; readonly columns: readonly Code[] } {
  const at = (index: number): Code => get(first + index);
  const pairs = [
    shuffle(at(0), at(1), [0, 4, 1, 5], true),
    shuffle(at(2), at(3), [0, 4, 1, 5], true),
    shuffle(at(0), at(1), [2, 6, 3, 7], true),
    shuffle(at(2), at(3), [2, 6, 3, 7], true),
  ];
  const before = all(...[...rows, ...pairs].map((code, index) => set(first + index, code)));
  const columns = [4, 6].flatMap((pair) => [
    shuffle(at(pair), at(pair + 1), [0, 1, 4, 5], false),
    shuffle(at(pair), at(pair + 1), [2, 3, 6, 7], false),
  ]);
  return { before, columns };
}

interface Routine {
  readonly params: number;
  /** Locals of 128 bits, behind the parameters and one number. */
  readonly lanes: number;
  readonly code: Code;
}

/** Locals of the compression. */
const CONSTANTS = 0;
const FIRST_WORD = 1;
const FIRST_VARIABLE = 17;
const SUM = 25;

const messageWord = (index: number): number => FIRST_WORD + (index % WORDS);
/** `a` to `h` are 0 to 7; they change places in each round instead of being moved. */
const variable = (rounds: number, index: number): number => FIRST_VARIABLE + ((index - rounds) & 7);

/** Round `i` of sixteen. */
function round(i: number): Code {
  const local = (index: number): number => variable(i, index);
  const it = (index: number): Code => get(local(index));
  const choice = select(it(5), it(6), it(4));
  const majority = select(it(2), it(1), xor(it(0), it(1)));
  const sigma1 = xors(rotate(local(4), 6), rotate(local(4), 11), rotate(local(4), 25));
  const sigma0 = xors(rotate(local(0), 2), rotate(local(0), 13), rotate(local(0), 22));
  const constant = loadSplat(get(CONSTANTS), 4 * i);
  return all(
    set(SUM, sums(it(7), constant, get(messageWord(i)), choice, sigma1)),
    set(local(3), add(it(3), get(SUM))),
    set(local(7), sums(get(SUM), sigma0, majority)),
  );
}

/** Word `i` of the next sixteen rounds. */
function schedule(i: number): Code {
  const [early, late] = [messageWord(i + 1), messageWord(i + 14)];
  const sigma0 = xors(rotate(early, 7), rotate(early, 18), shiftRight(get(early), 3));
  const sigma1 = xors(rotate(late, 17), rotate(late, 19), shiftRight(get(late), 10));
  const word16 = sums(get(messageWord(i)), sigma0, get(messageWord(i + 9)), sigma1);
  return set(messageWord(i), word16);
}

/** One block: the words of the message into the state. */
function compression(): Routine {
  const words = Array.from({ length: WORDS }, (_, index) => index);
  const variables = words.slice(0, 8);
  const sumOf = (i: number): Code => add(load(ZERO, state(i)), get(variable(0, i)));
  const code = all(
    set(CONSTANTS, i32(ROUND_CONSTANTS_AT)),
    ...words.map((i) => set(messageWord(i), load(ZERO, word(i)))),
    ...variables.map((i) => set(variable(0, i), load(ZERO, state(i)))),
    bytes(0x02, 0x40, 0x03, 0x40), // A block, and in it a loop of sixteen rounds.
    ...words.map((i) => round(i)),
    set(CONSTANTS, plus(get(CONSTANTS), i32(4 * WORDS))),
    all(get(CONSTANTS), i32(ROUND_CONSTANTS_AT + 4 * ROUNDS)),
    bytes(0x46, 0x0d, 1), // Equal: out of both.
    ...words.map((i) => schedule(i)),
    bytes(0x0c, 0, 0x0b, 0x0b), // Once more; the ends of both.
    ...variables.map((i) => store(ZERO, state(i), sumOf(i))),
  );
  return { params: 0, lanes: 25, code };
}

/** Locals of `nodes`: its parameters, and where 128 bits begin. */
const [FROM, TO, GROUPS, LANES] = [0, 1, 2, 4] as const;

/** The first block of four pairs. */
function firstWords(i: number): Code {
  const { before, columns } = transposed(pairBytes(4 * i), LANES);
  const stores = columns.map((column, at) => {
    const isFirst = i + at === 0;
    const value = isFirst ? or(and(column, splat(0x00ffffff)), splat(0x01000000)) : column;
    return store(ZERO, word(i + at), value);
  });
  return all(before, ...stores);
}

/** The second block: the last byte of the right hash, the one that ends every message, and how long it is. */
function secondBlock(): Code {
  const { before, columns } = transposed(pairBytes(PAIR_BYTES - 15), LANES);
  const last = shiftLeft(columns[3] as Code, 24);
  const zeros = Array.from({ length: WORDS - 2 }, (_, i) => store(ZERO, word(i + 1), splat(0)));
  const first = store(ZERO, word(0), or(last, splat(0x00800000)));
  return all(before, first, ...zeros, store(ZERO, word(WORDS - 1), splat(MESSAGE_BITS)));
}

/** 16 bytes of each pair, which stand one byte behind what FROM says. */
function pairBytes(offset: number): Code[] {
  return [0, 1, 2, 3].map((index) => load(get(FROM), PAIR_BYTES * index + offset));
}

/** Half of the state to where the four hashes go. */
function halfDigests(half: number): Code {
  const words = [0, 1, 2, 3].map((index) => load(ZERO, state(4 * half + index)));
  const { before, columns } = transposed(words, LANES);
  return all(before, ...columns.map((it, i) => store(get(TO), 32 * i + 16 * half, it)));
}

/**
 * Parameters: the byte before four pairs of hashes, where their four hashes go, and how many times four. What is written
 * never reaches what is still to be read, so a level of a tree may be written over by the one above it.
 */
function nodes(compress: number): Routine {
  const begin = Array.from({ length: 8 }, (_, i) =>
    store(ZERO, state(i), loadSplat(ZERO, START_AT + 4 * i)),
  );
  const code = all(
    bytes(0x03, 0x40), // A loop over groups.
    ...begin,
    ...[0, 4, 8, 12].map((i) => firstWords(i)),
    bytes(0x10, compress),
    secondBlock(),
    bytes(0x10, compress),
    halfDigests(0),
    halfDigests(1),
    set(FROM, plus(get(FROM), i32(4 * PAIR_BYTES))),
    set(TO, plus(get(TO), i32(2 * PAIR_BYTES))),
    set(GROUPS, plus(get(GROUPS), i32(-1))),
    get(GROUPS),
    bytes(0x0d, 0, 0x0b), // Once more while there are any.
  );
  return { params: 3, lanes: 8, code };
}

const listed = (items: readonly Code[]): Code => all(uint(items.length), ...items);
const sized =
  (body: Code): Code =>
  (out) => {
    const inner: number[] = [];
    body(inner);
    uint(inner.length)(out);
    for (const byte of inner) out.push(byte);
  };
const named = (name: string): Code =>
  sized(bytes(...Array.from(name, (letter) => letter.charCodeAt(0))));
const section = (id: number, items: readonly Code[]): Code => all(bytes(id), sized(listed(items)));

/** The module: exports `memory`, of one page, and `nodes`. */
export function nodeProgram(): Uint8Array<ArrayBuffer> {
  const routines = [compression(), nodes(0)];
  const numbers = (count: number): Code => listed(Array.from({ length: count }, () => bytes(0x7f)));
  const types = routines.map(({ params }) => all(bytes(0x60), numbers(params), bytes(0)));
  const locals = (lanes: number): Code => listed([bytes(1, 0x7f), bytes(lanes, 0x7b)]);
  const bodies = routines.map(({ lanes, code }) => sized(all(locals(lanes), code, bytes(0x0b))));
  const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  section(1, types)(out);
  section(3, [bytes(0), bytes(1)])(out);
  section(5, [bytes(0, 1)])(out);
  section(7, [all(named('memory'), bytes(2, 0)), all(named('nodes'), bytes(0, 1))])(out);
  section(10, bodies)(out);
  return Uint8Array.from(out);
}

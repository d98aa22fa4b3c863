/**
 * Passwords and their scrypt hashes. Passwords are made here and never chosen: they carry 125 bits, so that
 * no hash needs to slow a guesser down, and a cost that a small hub can pay when all its devices come back
 * at once after a power cut is enough. The cost stands beside each hash and can be raised later.
 */
import { scrypt, timingSafeEqual } from 'node:crypto';

import { bytesOfHex, hexOf } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';

/** Parameters of scrypt (RFC 7914); memory is 128 · n · r bytes. */
interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

export interface PasswordHash {
  readonly cost: ScryptCost;
  /** Hex. */
  readonly salt: string;
  readonly hash: string;
}

/** 4 MiB and some 12 ms on a desktop's core, 60 ms on a small ARM board. */
const COST: ScryptCost = { n: 4096, r: 8, p: 1 };
const COST_MEMORY_BYTES_MAX = 64 * 1024 * 1024;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** 32 signs that are not mistaken for each other when read aloud or from a label. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz023456789';
const PASSWORD_GROUPS = 5;
const GROUP_SIGNS = 5;

/** A new password, such as `k7qfd-2m9xa-…`: 25 signs of 5 bits. */
export function makePassword(random: Random): string {
  return makeSecret(PASSWORD_GROUPS, random);
}

/** So many groups of five random signs, with hyphens between them. */
export function makeSecret(groups: number, random: Random): string {
  const sign = (byte: number): string => ALPHABET[byte % ALPHABET.length] as string;
  const made = Array.from({ length: groups }, () =>
    Array.from(random.bytes(GROUP_SIGNS), sign).join(''),
  );
  return made.join('-');
}

export async function hashPassword(
  password: string | Uint8Array,
  random: Random,
): Promise<PasswordHash> {
  const salt = random.bytes(SALT_BYTES);
  const hash = await derive(password, salt, COST);
  return { cost: COST, salt: hexOf(salt), hash: hexOf(hash) };
}

/** True where the password belongs to the hash; takes the same time for every wrong one. */
export async function isPassword(
  password: string | Uint8Array,
  known: PasswordHash,
): Promise<boolean> {
  const salt = bytesOfHex(known.salt) ?? new Uint8Array(0);
  const hash = bytesOfHex(known.hash) ?? new Uint8Array(0);
  const derived = await derive(password, salt, known.cost);
  return hash.length === HASH_BYTES && timingSafeEqual(derived, hash);
}

/** False where a file asks for a cost that scrypt does not have, or that this machine should not pay. */
export function isPayable({ n, r, p }: ScryptCost): boolean {
  const isPower = Number.isInteger(Math.log2(n)) && n >= 2;
  const areCounts = Number.isInteger(r) && r >= 1 && Number.isInteger(p) && p >= 1 && p <= 16;
  return isPower && areCounts && 128 * n * r <= COST_MEMORY_BYTES_MAX;
}

/** On Node's thread pool: the event loop goes on. */
function derive(
  password: string | Uint8Array,
  salt: Uint8Array,
  { n, r, p }: ScryptCost,
): Promise<Uint8Array> {
  const options = { N: n, r, p, maxmem: 2 * COST_MEMORY_BYTES_MAX };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, options, (error, derived) => {
      if (error === null) resolve(new Uint8Array(derived));
      else reject(error);
    });
  });
}

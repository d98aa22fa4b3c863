/**
 * One-time tokens: what an installer types or scans so that a device gets its own credentials (ENROLMENT.md §4). A
 * token is for one name, for some minutes, for one use, and for five tries. The commands write `tokens.json`, the
 * running hub writes `used.json`: so neither takes from the other.
 *
 * The wall clock may leap, so the minutes count twice: from the moment in the file, and on the monotonic clock
 * from when this hub first saw the token. Whichever ends first ends the token.
 */
import { timingSafeEqual } from 'node:crypto';

import { bytesOfHex, EMPTY_BYTES, hexOf, textOf, utf8 } from '../../base/bytes.ts';
import type { Clock, Timers } from '../../base/clock.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { sha256 } from '../../hashes.ts';
import type { Role } from '../../model/op.ts';
import { asOnlyWriter } from '../only-writer.ts';
import { makeSecret } from '../passwords.ts';
import { isUserName, ROLES } from '../users.ts';
import type { MemberKind } from './certificate.ts';
import type { SiteFiles, SitePaths } from './site-folder.ts';

export interface Token {
  readonly id: string;
  readonly name: string;
  readonly kind: MemberKind;
  readonly role: Role;
  /** Whether a member of this name may be there already. */
  readonly replaces: boolean;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly madeMs: number;
  readonly minutes: number;
}

interface TokenMachine {
  readonly files: SiteFiles;
  readonly random: Random;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Timers;
}

/** Ten signs of five bits: with five tries, one chance in 2 · 10^14. */
const SECRET_GROUPS = 2;
const TRIES_MAX = 5;
const TOKENS_MAX = 200;
const SECRET_BYTES_MAX = 64;
const MINUTE_MS = 60_000;
const VERSION = 1;

/** Makes a token; its secret, such as `k7qfd-2m9xa`, is kept nowhere. */
export async function makeToken(
  wanted: Omit<Token, 'id' | 'hash' | 'madeMs'>,
  paths: SitePaths,
  machine: TokenMachine,
): Promise<string> {
  const { files, random, clock } = machine;
  const secret = makeSecret(SECRET_GROUPS, random);
  const madeMs = clock.wallMs();
  const token: Token = {
    ...wanted,
    id: hexOf(random.bytes(6)),
    hash: hexOf(hashOf(secret)),
    madeMs,
  };
  await asOnlyWriter(paths.dir, machine, () => {
    // A name has one token: a new one ends the one before.
    const others = readTokens(files, paths).filter(
      ({ name, madeMs: since, minutes }) =>
        name !== wanted.name && madeMs < since + minutes * MINUTE_MS,
    );
    if (others.length >= TOKENS_MAX) {
      throw new HubError('enrol.full', `${TOKENS_MAX} tokens wait for their devices already`);
    }
    const file = { version: VERSION, tokens: [...others, token] };
    files.replace(paths.tokens, utf8(`${JSON.stringify(file)}\n`));
  });
  return secret;
}

function readTokens(files: Pick<SiteFiles, 'read'>, paths: SitePaths): readonly Token[] {
  const rows = listIn(files.read(paths.tokens), 'tokens', paths.tokens);
  return rows.map((row) => {
    if (isToken(row)) return row;
    throw new HubError('data.unreadable', `${paths.tokens}: a token is malformed`);
  });
}

interface TokenDeskOptions {
  readonly files: Pick<SiteFiles, 'read' | 'replace'>;
  readonly paths: SitePaths;
  readonly clock: Clock;
  readonly log: Log;
}

/** Checks tokens in the running hub. */
export class TokenDesk {
  readonly #options: TokenDeskOptions;
  readonly #firstSeenMsById = new Map<string, number>();
  readonly #triesById = new Map<string, number>();
  readonly #used: Set<string>;

  constructor(options: TokenDeskOptions) {
    const { files, paths } = options;
    this.#options = options;
    const used = listIn(files.read(paths.usedTokens), 'used', paths.usedTokens);
    this.#used = new Set(used.filter((id): id is string => typeof id === 'string'));
    this.open();
  }

  /** Tokens that can still be used; those the hub has not seen before begin to age. */
  open(): readonly Token[] {
    const { files, paths, clock, log } = this.#options;
    let tokens: readonly Token[];
    try {
      tokens = readTokens(files, paths);
    } catch (error) {
      log.error('security.tokens-unreadable', { reason: messageOf(error) });
      return [];
    }
    const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
    for (const id of this.#firstSeenMsById.keys()) {
      if (!tokens.some((token) => token.id === id)) this.#forget(id);
    }
    return tokens.filter(({ id, madeMs, minutes }) => {
      const seenMs = this.#firstSeenMsById.get(id) ?? monotonicMs;
      this.#firstSeenMsById.set(id, seenMs);
      const isOver =
        wallMs > madeMs + minutes * MINUTE_MS || monotonicMs > seenMs + minutes * MINUTE_MS;
      return !isOver && !this.#used.has(id);
    });
  }

  /** The token that `name` may enrol with; undefined for a wrong secret, which counts as a try. */
  find(name: string, secret: Uint8Array): Token | undefined {
    const token = this.open().find((candidate) => candidate.name === name);
    if (token === undefined || secret.length > SECRET_BYTES_MAX) return undefined;
    const hash = hashOf(textOf(secret) ?? '');
    if (timingSafeEqual(hash, bytesOfHex(token.hash) as Uint8Array)) return token;
    const tries = (this.#triesById.get(token.id) ?? 0) + 1;
    this.#triesById.set(token.id, tries);
    this.#options.log.warn('security.token-wrong', { name, tries });
    if (tries >= TRIES_MAX) this.use(token.id);
    return undefined;
  }

  /** Ends a token, for good. */
  use(id: string): void {
    const { files, paths } = this.#options;
    const known = new Set(readTokens(files, paths).map((token) => token.id));
    for (const used of this.#used) if (!known.has(used)) this.#used.delete(used);
    this.#used.add(id);
    const file = { version: VERSION, used: [...this.#used] };
    files.replace(paths.usedTokens, utf8(`${JSON.stringify(file)}\n`));
  }

  #forget(id: string): void {
    this.#firstSeenMsById.delete(id);
    this.#triesById.delete(id);
  }
}

/** As people type it: without its hyphen, in capitals, with blanks. */
function hashOf(secret: string): Uint8Array {
  return sha256(utf8(secret.toLowerCase().replaceAll(/[\s-]/g, '')));
}

function listIn(bytes: Uint8Array = EMPTY_BYTES, key: string, path: string): readonly unknown[] {
  if (bytes.length === 0) return [];
  try {
    const file = JSON.parse(textOf(bytes) ?? '') as Readonly<Record<string, unknown>>;
    const list = file[key];
    if (file['version'] === VERSION && Array.isArray(list)) return list;
  } catch (error) {
    throw new HubError('data.unreadable', `${path}: ${messageOf(error)}`);
  }
  throw new HubError('data.unreadable', `${path} is not one of ours`);
}

function isToken(row: unknown): row is Token {
  if (typeof row !== 'object' || row === null) return false;
  const { id, name, kind, role, hash, madeMs, minutes, replaces } = row as Partial<Token>;
  return (
    typeof id === 'string' &&
    typeof name === 'string' &&
    isUserName(name) &&
    (kind === 'device' || kind === 'hub') &&
    ROLES.some((known) => known === role) &&
    typeof hash === 'string' &&
    /^[0-9a-f]{64}$/.test(hash) &&
    typeof madeMs === 'number' &&
    typeof minutes === 'number' &&
    typeof replaces === 'boolean'
  );
}

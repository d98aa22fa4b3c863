/**
 * Where a token becomes credentials, over HTTP or MQTT: the device shows name and token, and its public key where it
 * has made one, and gets a certificate or else a password. The private key of a device never travels.
 */
import type { KeyObject } from 'node:crypto';

import { hexOf, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { LoginLimit } from '../login-limit.ts';
import { hashPassword, makePassword } from '../passwords.ts';
import type { Authority, NewMember } from './authority.ts';
import { fingerprintOf, publicKeyOf } from './certificate.ts';
import type { Member } from './roster.ts';
import type { Token, TokenDesk } from './tokens.ts';

export interface EnrolRequest {
  readonly name: string;
  readonly token: string;
  /** PEM (SPKI) of a P-256 key; absent: the device logs in with a password. */
  readonly publicKey?: string;
  /** What a hub is called on the network. */
  readonly names?: readonly string[];
}

const NAMES_MAX = 16;

/** Reads a request, JSON that came over HTTP or MQTT; throws `enrol.malformed`. */
export function enrolRequestOf(value: unknown, name?: string): EnrolRequest {
  const row = typeof value === 'object' && value !== null ? value : {};
  const asked = { ...row, ...(name === undefined ? {} : { name }) } as Partial<EnrolRequest>;
  const isText = (text: unknown): boolean => typeof text === 'string' && text.length <= 4096;
  const isFine =
    isText(asked.name) &&
    isText(asked.token) &&
    (asked.publicKey === undefined || isText(asked.publicKey)) &&
    (asked.names === undefined || areNames(asked.names));
  if (isFine) return asked as EnrolRequest;
  throw new HubError('enrol.malformed', 'name and token are missing, or not texts');
}

function areNames(names: unknown): boolean {
  if (!Array.isArray(names) || names.length > NAMES_MAX) return false;
  return names.every((name) => typeof name === 'string' && /^[A-Za-z0-9._:-]{1,253}$/.test(name));
}

/** What the device keeps; a public contract (ENROLMENT.md §4). */
export interface Credentials {
  readonly name: string;
  readonly kind: string;
  readonly role: string;
  readonly epoch: number;
  /** The site's certificate, PEM: whom to trust. */
  readonly ca: string;
  /** PEM; or … */
  readonly certificate?: string;
  /** … name and password of the login. */
  readonly username?: string;
  readonly password?: string;
  /** For a hub: the authority's public key, hex, and the roster, base64. */
  readonly authority?: string;
  readonly roster?: string;
}

export interface DeskOptions {
  readonly tokens: TokenDesk;
  readonly authority: Authority;
  /** The site's certificate, PEM. */
  readonly ca: string;
  readonly limit: LoginLimit;
  readonly random: Random;
  readonly log: Log;
  /** The roster has changed: look at it now; returns it, signed. */
  readonly changed: () => Uint8Array;
}

export class EnrolmentDesk {
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Whether `name` could enrol with the token now; a wrong one counts against its guesser. */
  isToken(name: string, token: Uint8Array, remote: string): boolean {
    return this.#find(name, token, remote) !== undefined;
  }

  /** Throws `enrol.refused` where the token is not (or no more) good, `enrol.malformed` for a key that is none. */
  async enrol(request: EnrolRequest, remote: string): Promise<Credentials> {
    const { name, publicKey } = request;
    const key = publicKey === undefined ? undefined : publicKeyOf(publicKey);
    if (publicKey !== undefined && key === undefined) {
      throw new HubError('enrol.malformed', 'publicKey is no P-256 key in PEM (SPKI)');
    }
    const token = this.#find(name, utf8(request.token), remote);
    if (token === undefined) throw refused();
    if (token.kind === 'hub' && key === undefined) {
      throw new HubError('enrol.malformed', 'a hub enrols with its public key');
    }
    return key === undefined
      ? this.#withPassword(token, remote)
      : this.#withCertificate(token, key, request.names ?? [], remote);
  }

  async #withPassword(token: Token, remote: string): Promise<Credentials> {
    const { random } = this.#options;
    const password = makePassword(random);
    const hash = await hashPassword(password, random);
    const common = await this.#add(token, { password: hash }, remote);
    return { ...common.credentials, username: token.name, password };
  }

  async #withCertificate(
    token: Token,
    key: KeyObject,
    names: readonly string[],
    remote: string,
  ): Promise<Credentials> {
    const { authority } = this.#options;
    const { member, roster, credentials } = await this.#add(
      token,
      { key: fingerprintOf(key) },
      remote,
    );
    const isHub = token.kind === 'hub';
    const certificate = authority.certify(member, key, isHub ? names : []);
    if (!isHub) return { ...credentials, certificate };
    return {
      ...credentials,
      certificate,
      authority: hexOf(authority.roster().authority),
      roster: Buffer.from(roster).toString('base64'),
    };
  }

  async #add(
    token: Token,
    credential: Pick<NewMember, 'key' | 'password'>,
    remote: string,
  ): Promise<{ member: Member; roster: Uint8Array; credentials: Credentials }> {
    const { authority, log, ca, changed } = this.#options;
    const { name, kind, role, replaces } = token;
    const wanted = { name, kind, role, ...credential };
    const member = await authority.add(wanted, { replaces, before: () => this.#use(token) });
    const roster = changed();
    log.info('security.enrolled', { name, kind, role, remote, with: Object.keys(credential)[0] });
    return { member, roster, credentials: { name, kind, role, epoch: member.since, ca } };
  }

  #find(name: string, secret: Uint8Array, remote: string): Token | undefined {
    const { tokens, limit } = this.#options;
    if (!tokens.open().some((token) => token.name === name)) return undefined;
    if (limit.isBlocked(remote, name)) return undefined;
    const token = tokens.find(name, secret);
    if (token === undefined) limit.failed(remote, name);
    return token;
  }

  /** Two that come at the same moment with the same token: the second finds it used. */
  #use(token: Token): void {
    const { tokens } = this.#options;
    if (!tokens.open().some(({ id }) => id === token.id)) throw refused();
    tokens.use(token.id);
  }
}

function refused(): HubError {
  return new HubError('enrol.refused', 'the token is unknown, used, or too old');
}

/**
 * The roster: who belongs to the site and with which authority, signed by the site's authority (ENROLMENT.md §3). One
 * whole file a version: an epoch that grows with every change, so that "newer" is a number and a member that is
 * not in it is out. Lists of revoked certificates, which only grow and must not be missed, are not needed.
 */
import { HubError } from '../../base/errors.ts';
import { parseCose, type Sign, signCose, type Verify, verifyCose } from '../../codec/cose.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { bytesOfHex, hexOf, textOf } from '../../base/bytes.ts';
import { AUTHORITY } from '../../model/op.ts';
import { isPayable, type PasswordHash } from '../passwords.ts';
import { isUserName, ROLES } from '../users.ts';
import type { Holder, MemberKind } from './certificate.ts';

export interface Member extends Holder {
  /** Fingerprint of its certificate's key; undefined where it logs in with a password. */
  readonly key?: Uint8Array;
  readonly password?: PasswordHash;
}

export interface Roster {
  readonly site: string;
  /** 1, 2, 3 …: stands in the stamps of ops that were accepted under it. */
  readonly epoch: number;
  /** Public key (Ed25519) of the site's authority. */
  readonly authority: Uint8Array;
  /** The site's certificate, DER. */
  readonly ca: Uint8Array;
  readonly memberByName: ReadonlyMap<string, Member>;
}

/** Signs rosters: the authority's key. */
export interface RosterSigner {
  readonly publicKey: Uint8Array;
  readonly sign: Sign;
}

const ROSTER_TYPE = 'application/vnd.heliograph.roster+cbor';
const ROSTER_FORMAT = 1;
export const MEMBERS_MAX = 4_000;
/** It fits into one MQTT packet of the default limit. */
export const ROSTER_BYTES_MAX = 1_000_000;
const KINDS: readonly MemberKind[] = ['device', 'hub'];
const KEY_BYTES = 32;
const LIMITS = { depthMax: 5, itemsMax: 20 * MEMBERS_MAX };

/** The signed roster; throws `HubError('enrol.full')` where it would have too many members. */
export function encodeRoster(roster: Roster, signer: RosterSigner): Uint8Array {
  const writer = new CborWriter(4096);
  writer.array(6).uint(ROSTER_FORMAT).text(roster.site).uint(roster.epoch);
  writer.bytes(roster.authority).bytes(roster.ca).array(roster.memberByName.size);
  const names = [...roster.memberByName.keys()].toSorted();
  for (const name of names) writeMember(writer, roster.memberByName.get(name) as Member);
  const header = { contentType: ROSTER_TYPE, keyId: roster.authority.subarray(0, 8) };
  const bytes = signCose(writer.finish(), header, signer.sign);
  if (names.length > MEMBERS_MAX || bytes.length > ROSTER_BYTES_MAX) {
    throw new HubError('enrol.full', `${names.length} members are more than a roster holds`);
  }
  return bytes;
}

/**
 * Reads a roster that `authority` has signed; throws `HubError('enrol.untrusted')` for every other, and for what is
 * no roster at all.
 */
export function decodeRoster(bytes: Uint8Array, authority: Uint8Array, verify: Verify): Roster {
  const untrusted = (reason: string): HubError => new HubError('enrol.untrusted', reason);
  if (bytes.length > ROSTER_BYTES_MAX) throw untrusted('the roster is too large');
  try {
    const message = parseCose(bytes);
    if (message.contentType !== ROSTER_TYPE) throw untrusted('this is no roster');
    if (!verifyCose(message, authority, verify)) {
      throw untrusted("the roster does not bear the signature of this site's authority");
    }
    return readRoster(message.payload);
  } catch (error) {
    if (error instanceof CborError) throw untrusted(`the roster is malformed: ${error.message}`);
    throw error;
  }
}

/** Whether these bytes are a roster at all, whoever has signed it. */
export function looksLikeRoster(bytes: Uint8Array): boolean {
  try {
    decodeRoster(bytes, new Uint8Array(0), () => true);
    return true;
  } catch (error) {
    if (error instanceof HubError) return false;
    throw error;
  }
}

function writeMember(writer: CborWriter, member: Member): void {
  writer.array(6).text(member.name).uint(KINDS.indexOf(member.kind));
  writer.uint(AUTHORITY[member.role]).uint(member.since);
  if (member.key === undefined) writer.null();
  else writer.bytes(member.key);
  const { password } = member;
  if (password === undefined) {
    writer.null();
    return;
  }
  const { n, r, p } = password.cost;
  writer.array(5).uint(n).uint(r).uint(p);
  for (const hex of [password.salt, password.hash]) writer.bytes(bytesOfHex(hex) as Uint8Array);
}

function readRoster(payload: Uint8Array): Roster {
  const reader = new CborReader(payload, 0, LIMITS);
  reader.expectArray(6);
  const format = reader.uint();
  if (format !== ROSTER_FORMAT) {
    throw new HubError('data.newer', `the roster has format ${format}, which is not known here`);
  }
  const [site, epoch, authority, ca] = [
    reader.text(),
    reader.uint(),
    reader.bytes(),
    reader.bytes(),
  ];
  const count = reader.array();
  if (count > MEMBERS_MAX) throw new CborError('too many members', reader.offset);
  const memberByName = new Map<string, Member>();
  let last = '';
  for (let i = 0; i < count; i++) {
    const member = readMember(reader);
    if (member.name <= last) throw new CborError('members are not in order', reader.offset);
    last = member.name;
    memberByName.set(member.name, member);
  }
  if (!reader.atEnd) throw new CborError('bytes after the roster', reader.offset);
  return { site, epoch, authority, ca, memberByName };
}

function readMember(reader: CborReader): Member {
  const start = reader.offset;
  reader.expectArray(6);
  const name = reader.text();
  const kind = KINDS[reader.uint()];
  const role = ROLES[reader.uint() - 1];
  const since = reader.uint();
  const key = reader.orNull(() => reader.bytes());
  const password = reader.orNull(() => readPassword(reader));
  if (!isUserName(name) || kind === undefined || role === undefined) {
    throw new CborError('malformed member', start);
  }
  if (key !== undefined && key.length !== KEY_BYTES)
    throw new CborError('not a fingerprint', start);
  return {
    name,
    kind,
    role,
    since,
    ...(key === undefined ? {} : { key }),
    ...(password === undefined ? {} : { password }),
  };
}

function readPassword(reader: CborReader): PasswordHash {
  const start = reader.offset;
  reader.expectArray(5);
  const cost = { n: reader.uint(), r: reader.uint(), p: reader.uint() };
  const [salt, hash] = [hexOf(reader.bytes()), hexOf(reader.bytes())];
  if (!isPayable(cost)) throw new CborError('a hash that nobody should pay for', start);
  return { cost, salt, hash };
}

/** The authority's public key from its file of 64 hex digits; undefined where there is none. */
export function anchorOf(bytes: Uint8Array | undefined, path: string): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const key = bytesOfHex(textOf(bytes)?.trim() ?? '');
  if (key?.length !== KEY_BYTES) throw new HubError('keys.damaged', `${path} is not a public key`);
  return key;
}

/**
 * The one kind of certificate that a site makes (ENROLMENT.md §2): X.509 v3, ECDSA on P-256 with SHA-256, because
 * that is what TLS libraries of small devices know. `@peculiar/x509` could write them too, with a dozen packages
 * behind it, for these hundred lines; reading, where mistakes would be dangerous, is left to Node.
 *
 * No certificate says when it ends, and all begin in 1970: a hub or a device without a clock must not be locked
 * out by a date. What ends a membership is the roster.
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';

import { HubError } from '../../base/errors.ts';
import { utf8 } from '../../base/bytes.ts';
import type { Random } from '../../base/random.ts';
import { sha256 } from '../../hashes.ts';
import type { Role } from '../../model/op.ts';
import {
  bitString,
  der,
  DER_TRUE,
  explicit,
  implicit,
  objectId,
  octetString,
  positiveInteger,
  sequence,
  set,
  utf8String,
} from './der.ts';

export type MemberKind = 'device' | 'hub';

/** What a certificate says of its holder; the roster has the last word. */
export interface Holder {
  readonly name: string;
  readonly kind: MemberKind;
  readonly role: Role;
  /** Epoch of the roster in which it became a member. */
  readonly since: number;
}

const CURVE = 'prime256v1';
const SERIAL_BYTES = 16;
const KEY_ID_BYTES = 20;
const ECDSA_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
const ORGANISATION = '2.5.4.10';
const UNIT = '2.5.4.11';
/** Validity: 1970-01-01 to 9999-12-31 (RFC 5280 §4.1.2.5: no well-defined end). */
const VALIDITY = sequence(der(0x17, utf8('700101000000Z')), der(0x18, utf8('99991231235959Z')));
const SERVER_AUTH = objectId('1.3.6.1.5.5.7.3.1');
const CLIENT_AUTH = objectId('1.3.6.1.5.5.7.3.2');
const HOLDER = /^OU=(device|hub)\.(device|technician|supervisor|operator)\.(\d{1,15})$/m;

/** A new P-256 key. */
export function makeKey(random: Random): KeyObject {
  const curve = createECDH(CURVE);
  curve.setPrivateKey(Buffer.from(random.bytes(32)));
  const point = curve.getPublicKey();
  const part = (bytes: Buffer): string => bytes.toString('base64url');
  return createPrivateKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: part(point.subarray(1, 33)),
      y: part(point.subarray(33)),
      d: part(Buffer.from(curve.getPrivateKey().toString('hex').padStart(64, '0'), 'hex')),
    },
    format: 'jwk',
  });
}

export function pemOfKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A public P-256 key from PEM (SPKI); undefined where it is something else. */
export function publicKeyOf(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === CURVE ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Throws `HubError('keys.damaged')` where the text is not a private key. */
export function privateKeyOf(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new HubError('keys.damaged', `${path} is not a private key`, error);
  }
}

/** The site's own certificate, signed by itself; PEM. */
export function makeSiteCertificate(site: string, key: KeyObject, random: Random): string {
  const subject = distinguishedName(site, `${site} site authority`);
  return certificate({
    issuer: subject,
    subject,
    publicKey: createPublicKey(key),
    signer: key,
    random,
    extensions: [
      extension('2.5.29.19', sequence(DER_TRUE), true),
      extension('2.5.29.15', bitString(Uint8Array.of(0x06), 1), true), // keyCertSign, cRLSign
    ],
  });
}

interface IssueOptions {
  readonly site: string;
  readonly holder: Holder;
  readonly publicKey: KeyObject;
  /** Names and addresses that a server answers to; none for those who only connect. */
  readonly names: readonly string[];
  readonly signer: KeyObject;
  readonly random: Random;
}

/** A member's certificate; PEM. */
export function issueCertificate(options: IssueOptions): string {
  const { site, holder, publicKey, names, signer, random } = options;
  const uses = holder.kind === 'hub' ? [SERVER_AUTH, CLIENT_AUTH] : [CLIENT_AUTH];
  const unit = `${holder.kind}.${holder.role}.${holder.since}`;
  return certificate({
    issuer: distinguishedName(site, `${site} site authority`),
    subject: distinguishedName(site, holder.name, unit),
    publicKey,
    signer,
    random,
    extensions: [
      extension('2.5.29.19', sequence(), true),
      extension('2.5.29.15', bitString(Uint8Array.of(0x80), 7), true), // digitalSignature
      extension('2.5.29.37', sequence(...uses)),
      ...(names.length === 0 ? [] : [extension('2.5.29.17', sequence(...names.map(generalName)))]),
    ],
  });
}

/** Reads a certificate that `ca` has signed; undefined for every other. */
export function holderOf(
  certificateDer: Uint8Array,
  ca: X509Certificate,
): (Holder & { readonly fingerprint: Uint8Array }) | undefined {
  try {
    const read = new X509Certificate(certificateDer);
    if (!read.checkIssued(ca) || !read.verify(ca.publicKey)) return undefined;
    const [, kind, role, since] = HOLDER.exec(read.subject) ?? [];
    const name = /^CN=(.+)$/m.exec(read.subject)?.[1];
    if (kind === undefined || role === undefined || name === undefined) return undefined;
    const fingerprint = fingerprintOf(read.publicKey);
    const holder = { kind: kind as MemberKind, role: role as Role, since: Number(since) };
    return { name, ...holder, fingerprint };
  } catch {
    return undefined;
  }
}

/** SHA-256 of the public key (SPKI, DER): what the roster knows a certificate by. */
export function fingerprintOf(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return sha256(spki);
}

interface CertificateParts {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly random: Random;
  readonly extensions: readonly Uint8Array[];
}

/** RFC 5280 §4.1. */
function certificate(parts: CertificateParts): string {
  const serial = parts.random.bytes(SERIAL_BYTES);
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40; // Positive, and always of the same length.
  const toBeSigned = sequence(
    explicit(0, positiveInteger(Uint8Array.of(2))), // Version 3.
    positiveInteger(serial),
    ECDSA_SHA256,
    parts.issuer,
    VALIDITY,
    parts.subject,
    new Uint8Array(parts.publicKey.export({ type: 'spki', format: 'der' })),
    explicit(3, sequence(...keyIdentifiers(parts), ...parts.extensions)),
  );
  const signature = sign('sha256', toBeSigned, { key: parts.signer, dsaEncoding: 'der' });
  const bytes = sequence(toBeSigned, ECDSA_SHA256, bitString(new Uint8Array(signature)));
  return new X509Certificate(bytes).toString();
}

/** Which key, and whose signed it (RFC 5280 §4.2.1.1, §4.2.1.2). */
function keyIdentifiers({ publicKey, signer }: CertificateParts): Uint8Array[] {
  const own = fingerprintOf(publicKey).subarray(0, KEY_ID_BYTES);
  const signedBy = fingerprintOf(signer).subarray(0, KEY_ID_BYTES);
  return [
    extension('2.5.29.14', octetString(own)),
    extension('2.5.29.35', sequence(implicit(0, signedBy))),
  ];
}

function distinguishedName(site: string, name: string, unit?: string): Uint8Array {
  const attribute = (id: string, value: string): Uint8Array =>
    set(sequence(objectId(id), utf8String(value)));
  return sequence(
    attribute(ORGANISATION, site),
    ...(unit === undefined ? [] : [attribute(UNIT, unit)]),
    attribute(COMMON_NAME, name),
  );
}

function extension(id: string, value: Uint8Array, isCritical = false): Uint8Array {
  return sequence(objectId(id), ...(isCritical ? [DER_TRUE] : []), octetString(value));
}

/** iPAddress [7] for addresses, dNSName [2] for all else (RFC 5280 §4.2.1.6). */
function generalName(name: string): Uint8Array {
  const address = addressBytes(name);
  return address === undefined ? implicit(2, utf8(name)) : implicit(7, address);
}

function addressBytes(name: string): Uint8Array | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(name)) return Uint8Array.from(name.split('.').map(Number));
  if (!name.includes(':')) return undefined;
  const [head = '', tail] = name.toLowerCase().split('::');
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
  const [before, after] = [words(head), words(tail ?? '')];
  const zeros =
    tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => 0);
  return Uint8Array.from(
    [...before, ...zeros, ...after].flatMap((word) => [word >> 8, word & 0xff]),
  );
}

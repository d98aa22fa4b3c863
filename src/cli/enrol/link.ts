/**
 * What the QR code of a token says: where, for whom, the token, and by which certificate the site is known.
 *
 *   heliograph:enrol?name=meter-7&token=k7qfd-2m9xa&at=http://192.0.2.7:8080/&ca=<SHA-256 of ca.pem's DER, base64url>
 */
import { createHash, X509Certificate } from 'node:crypto';

import { UsageError } from '../args.ts';

interface EnrolLink {
  readonly name: string;
  readonly token: string;
  /** Address of the hub's HTTP; empty: to be told otherwise. */
  readonly at: string;
  readonly ca: string;
}

const SCHEME = 'heliograph:enrol?';

export function encodeLink({ name, token, at, ca }: EnrolLink): string {
  const query = new URLSearchParams({ name, token, ...(at === '' ? {} : { at }), ca });
  return `${SCHEME}${query.toString()}`;
}

/** Throws `UsageError`. */
export function decodeLink(text: string): EnrolLink {
  const query = new URLSearchParams(text.startsWith(SCHEME) ? text.slice(SCHEME.length) : '');
  const [name, token, ca] = ['name', 'token', 'ca'].map((key) => query.get(key));
  if (typeof name !== 'string' || typeof token !== 'string' || typeof ca !== 'string') {
    throw new UsageError(`this is no link of \`heliograph enrol token\`: ${text.slice(0, 80)}`);
  }
  return { name, token, at: query.get('at') ?? '', ca };
}

export function fingerprintOfCa(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');
}

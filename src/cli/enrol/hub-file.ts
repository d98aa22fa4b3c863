/**
 * What a hub needs to belong to a site, in one file (JSON): the authority's public key, the site's certificate, the
 * roster, and its own certificate with its key. It holds a private key and is made with mode 0600.
 */
import { textOf, utf8 } from '../../base/bytes.ts';
import { type Args, UsageError } from '../args.ts';

export interface HubFile {
  /** 64 hex digits. */
  readonly authority: string;
  readonly ca: string;
  readonly roster: Uint8Array;
  readonly certificate: string;
  readonly key: string;
}

/** What a hub is called on the network, for its certificate: what was typed, and what every machine answers to. */
export function hubNames(args: Args, name: string): string[] {
  return [...new Set([...args.texts('name'), name, `${name}.local`, 'localhost', '127.0.0.1'])];
}

const VERSION = 1;

export function encodeHubFile(file: HubFile): Uint8Array {
  const roster = Buffer.from(file.roster).toString('base64');
  return utf8(`${JSON.stringify({ heliographHub: VERSION, ...file, roster })}\n`);
}

/** Undefined where the bytes are something else, such as a roster; throws `UsageError` for a hub file that is cut. */
export function decodeHubFile(bytes: Uint8Array): HubFile | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    const file = JSON.parse(textOf(bytes) ?? '') as Readonly<Record<string, unknown>>;
    const texts = ['authority', 'ca', 'roster', 'certificate', 'key'].map((key) => file[key]);
    if (file['heliographHub'] === VERSION && texts.every((text) => typeof text === 'string')) {
      const [authority, ca, roster, certificate, key] = texts as [
        string,
        string,
        string,
        string,
        string,
      ];
      return {
        authority,
        ca,
        roster: new Uint8Array(Buffer.from(roster, 'base64')),
        certificate,
        key,
      };
    }
  } catch {
    // Told below.
  }
  throw new UsageError('this is no file of `heliograph enrol hub`');
}

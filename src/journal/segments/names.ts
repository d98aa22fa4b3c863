/** Names in the journal's folder (FORMAT.md §2). */
import { must } from '../../base/assert.ts';
import type { FileEvidence } from '../recovery/recovery.ts';

const DIGITS = 12;
const SEGMENT = /^(\d{12})\.segment$/;
const SPARE = /^(\d{12})\.spare$/;
const QUARANTINED = /^(\d{12})-(\d{1,16})-(\d{1,16})\.(bin|segment|healed)$/;

/** A new file whose header is not durable yet. */
export const FRESH_NAME = 'fresh.tmp';
export const QUARANTINE_NAME = 'quarantine';
const OWN_NAMES = new Set([QUARANTINE_NAME, 'lock']);

export function segmentName(segment: number): string {
  return `${String(segment).padStart(DIGITS, '0')}.segment`;
}

/** A file that waits to become a segment; the number only keeps names apart. */
export function spareName(number: number): string {
  return `${String(number).padStart(DIGITS, '0')}.spare`;
}

export function kindOfName(name: string): FileEvidence['name'] {
  if (SEGMENT.test(name)) return 'segment';
  if (SPARE.test(name)) return 'spare';
  if (name === FRESH_NAME) return 'temporary';
  return OWN_NAMES.has(name) ? 'own' : 'other';
}

/** The number in the name of a segment or spare. */
export function numberOfName(name: string): number {
  return Number(must(SEGMENT.exec(name) ?? SPARE.exec(name), 'a segment or spare')[1]);
}

/**
 * Says in the name what is lost, so that the folder itself is the list: `bin` for a part, `segment` for a whole file,
 * `healed` for either where its ops are in the journal again.
 */
export function quarantineName(
  segment: number,
  fromLsn: number,
  toLsn: number,
  what: 'bin' | 'segment' | 'healed',
): string {
  return `${String(segment).padStart(DIGITS, '0')}-${fromLsn}-${toLsn}.${what}`;
}

export function parseQuarantineName(
  name: string,
): { segment: number; fromLsn: number; toLsn: number; isHealed: boolean } | undefined {
  const match = QUARANTINED.exec(name);
  if (match === null) return undefined;
  const [, segment, fromLsn, toLsn, what] = match;
  const isHealed = what === 'healed';
  return { segment: Number(segment), fromLsn: Number(fromLsn), toLsn: Number(toLsn), isHealed };
}

/**
 * One line of the audit log. It speaks of many ops at once, by ranges: an op's way is found by its number in its lane, and
 * for what happens to the journal as a whole, by its place there. [audit.schema.json](audit.schema.json) is normative.
 */
import { linesOf } from '../base/bytes.ts';

/** `[origin, from, to]`: ops of one lane, ends included. */
export type AuditRange = readonly [origin: string, from: number, to: number];

export interface Common {
  /**
   * RFC 3339, by the hub's own clock: when it happened. For `received` and `merged`, which are told in groups, when the
   * first of the group was; the last was less than a minute later.
   */
  readonly at: string;
  readonly clock: string;
  /** At a region: whose batch it is. */
  readonly site?: string;
  readonly hub?: string;
}

/** Of one class. `lsns`: first and last of their places in the journal. */
interface OfClass {
  readonly class: string;
  readonly ranges: readonly AuditRange[];
  readonly lsns: readonly [number, number];
  readonly ops: number;
}

export type AuditEvent =
  /** Acknowledged; `firstAt`, `lastAt`: when, by their stamps. */
  | ({ readonly event: 'received'; readonly firstAt: string; readonly lastAt: string } & OfClass)
  /** Everything in this stretch of the journal is folded into the state. */
  | { readonly event: 'merged'; readonly lsns: readonly [number, number] }
  | {
      readonly event: 'conflict';
      readonly winner: string;
      readonly loser: string;
      readonly key: string;
      readonly field: string;
    }
  | { readonly event: 'undone'; readonly op: string; readonly by: string }
  | ({ readonly event: 'batched' | 'receipted'; readonly batch: string } & OfClass)
  | ({ readonly event: 'refused'; readonly batch: string; readonly reason: string } & OfClass)
  /** Nothing is sent, and all is kept: the region may not store it, or could not open it. */
  | { readonly event: 'hindered'; readonly reason: string }
  /** The journal has let go of everything in this stretch. */
  | { readonly event: 'pruned'; readonly lsns: readonly [number, number] };

export type AuditLine = Common & AuditEvent;

/** Lines of a file, as far as they can be read; a line that a crash tore is passed over. */
export function auditLinesOf(content: Uint8Array | undefined): AuditLine[] {
  return linesOf(content).flatMap((line) => {
    const parsed = parseLine(line);
    return parsed === undefined ? [] : [parsed];
  });
}

/** The last one for which `isWanted`; what comes before it is not parsed. */
export function lastLineOf(
  content: Uint8Array | undefined,
  isWanted: (line: AuditLine) => boolean,
): AuditLine | undefined {
  const lines = linesOf(content);
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = parseLine(lines[at] as string);
    if (line !== undefined && isWanted(line)) return line;
  }
  return undefined;
}

function parseLine(line: string): AuditLine | undefined {
  if (line === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { at, event } = value as Partial<AuditLine>;
    return typeof at === 'string' && typeof event === 'string' ? (value as AuditLine) : undefined;
  } catch {
    return undefined;
  }
}

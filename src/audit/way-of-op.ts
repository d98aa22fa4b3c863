/** Where an op is, and when it got there: the lines of the audit log that speak of it, in order. */
import type { AuditLine } from './audit-line.ts';

interface AuditedOp {
  readonly origin: string;
  /** Name of the class. */
  readonly class: string;
  readonly seq: number;
}

/**
 * Lines about one op. What happens to the journal as a whole (`merged`, `pruned`) counts once it covers the whole group
 * that the op was received in: its own place there is not told, and a line too late is better than one too early.
 */
export function wayOfOp(lines: readonly AuditLine[], op: AuditedOp): AuditLine[] {
  const name = `${op.origin}/${op.class}/${op.seq}`;
  let throughLsn: number | undefined;
  let isMerged = false;
  let isPruned = false;
  const way: AuditLine[] = [];
  for (const line of lines) {
    if ('ranges' in line) {
      if (!holds(line.ranges, line.class, op)) continue;
      if (line.event === 'received') throughLsn = line.lsns[1];
      way.push(line);
    } else if (line.event === 'conflict') {
      if (line.winner === name || line.loser === name) way.push(line);
    } else if (line.event === 'undone') {
      if (line.op === name || line.by === name) way.push(line);
    } else if (line.event === 'hindered') {
      // Says of no op what became of it.
    } else if (throughLsn !== undefined && line.lsns[1] >= throughLsn) {
      if (line.event === 'merged' ? isMerged : isPruned) continue;
      if (line.event === 'merged') isMerged = true;
      else isPruned = true;
      way.push(line);
    }
  }
  return way;
}

function holds(
  ranges: readonly (readonly [string, number, number])[],
  className: string,
  op: AuditedOp,
): boolean {
  if (className !== op.class) return false;
  return ranges.some(
    ([origin, from, to]) => origin === op.origin && from <= op.seq && op.seq <= to,
  );
}

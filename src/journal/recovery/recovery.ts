/**
 * What recovery decides, as tables: each combination of evidence meets exactly one row (a test tries them all, and
 * another compares the rows with FORMAT.md §6). Pure: survey.ts gathers the evidence, journal.ts acts.
 *
 * The invariant: everything below an LSN that some intact block or header names as begun was acknowledged. So
 * whatever is missing below it is damage, reported with its LSNs; what is missing above it was never acknowledged, and is cut.
 */
import { assert, must } from '../../base/assert.ts';

/** A row meets evidence where each named field holds one of the listed values; an unnamed field may hold any. */
export interface Row<E extends object, A extends string> {
  readonly when: { readonly [K in keyof E]?: readonly E[K][] };
  readonly action: A;
  readonly why: string;
}

/** The action of the only row that meets the evidence. */
export function decide<E extends object, A extends string>(
  rows: readonly Row<E, A>[],
  evidence: E,
): A {
  const met = rows.filter((row) => meets(row, evidence));
  assert(met.length === 1, `${met.length} rows meet ${JSON.stringify(evidence)}`);
  return must(met[0], 'one row').action;
}

export function meets<E extends object>(row: Row<E, string>, evidence: E): boolean {
  const named = Object.entries(row.when) as [string, readonly unknown[]][];
  const values = new Map<string, unknown>(Object.entries(evidence));
  return named.every(([name, allowed]) => allowed.includes(values.get(name)));
}

/** A name in the journal's folder. */
export interface FileEvidence {
  readonly name: 'segment' | 'spare' | 'temporary' | 'own' | 'other';
  /** `half`: one of the two copies. `foreign`: of another journal, or of another number than the name says. */
  readonly header: 'whole' | 'half' | 'none' | 'newer' | 'foreign';
}
export type FileAction =
  'use' | 'use-and-say' | 'refuse' | 'set-aside' | 'reuse' | 'remove' | 'leave';

export const FILE_ROWS: readonly Row<FileEvidence, FileAction>[] = [
  {
    when: { name: ['segment'], header: ['whole'] },
    action: 'use',
    why: 'a segment of this journal',
  },
  {
    when: { name: ['segment'], header: ['half'] },
    action: 'use-and-say',
    why: 'the other copy is damaged, this one is enough',
  },
  {
    when: { name: ['segment'], header: ['newer'] },
    action: 'refuse',
    why: 'a newer hub wrote here; reading it as ours would lose what we do not know',
  },
  {
    when: { name: ['segment'], header: ['none', 'foreign'] },
    action: 'set-aside',
    why: 'a name is given only after its header is durable, so this is damage or a stray file',
  },
  {
    when: { name: ['spare'] },
    action: 'reuse',
    why: 'nothing in it counts, whatever it holds',
  },
  {
    when: { name: ['temporary'] },
    action: 'remove',
    why: 'was being made when the process ended',
  },
  {
    when: { name: ['own'] },
    action: 'leave',
    why: 'the lock file, the quarantine',
  },
  {
    when: { name: ['other'] },
    action: 'leave',
    why: 'somebody put it there; said in the log',
  },
];

/** How the next older segment stands to the number that a header names as its previous. */
export interface LinkEvidence {
  readonly older: 'none' | 'above' | 'equal' | 'below';
}
type LinkAction = 'first' | 'superseded' | 'linked' | 'missing';

export const LINK_ROWS: readonly Row<LinkEvidence, LinkAction>[] = [
  { when: { older: ['none'] }, action: 'first', why: 'what came before was released' },
  {
    when: { older: ['above'] },
    action: 'superseded',
    why: 'an open copied it into the later one, durably, before it named that',
  },
  { when: { older: ['equal'] }, action: 'linked', why: 'the journal goes on' },
  {
    when: { older: ['below'] },
    action: 'missing',
    why: 'released segments are the oldest, so one in the middle was lost',
  },
];

/** A place in a segment where an intact block with the expected LSN should begin and does not. */
export interface SeamEvidence {
  readonly here: 'rest' | 'no-room' | 'bytes';
  /** The next intact block of this segment, if any: does it begin at the expected LSN or above? */
  readonly same: 'none' | 'expected' | 'above';
  /**
   * What lies behind this segment. `reached`: the next one begins at or below the expected LSN. `above`: a block or a
   * header says that higher LSNs were durable. `none`: nothing, this is the journal's tail.
   */
  readonly later: 'none' | 'reached' | 'above';
}
type SeamAction = 'next-segment' | 'end' | 'cut' | 'damage-to-block' | 'damage-to-end' | 'scar';

export const SEAM_ROWS: readonly Row<SeamEvidence, SeamAction>[] = [
  {
    when: { later: ['reached'] },
    action: 'next-segment',
    why: 'the journal goes on there; what still stands here is superseded, or was cut before',
  },
  {
    when: { later: ['none'], same: ['none'], here: ['rest', 'no-room'] },
    action: 'end',
    why: 'nothing was begun behind the last block',
  },
  {
    when: { later: ['none'], same: ['none'], here: ['bytes'] },
    action: 'cut',
    why: 'a torn block: the next is begun only after a sync, so it was never acknowledged',
  },
  {
    when: { later: ['none', 'above'], same: ['above'] },
    action: 'damage-to-block',
    why: 'a later block was begun after this was acknowledged',
  },
  {
    when: { later: ['above'], same: ['none'] },
    action: 'damage-to-end',
    why: 'a later segment was begun after this was acknowledged',
  },
  {
    when: { later: ['none', 'above'], same: ['expected'] },
    action: 'scar',
    why: 'bytes are damaged that hold no entry; reading goes on behind them',
  },
];

/** The last segment that holds blocks, at an open. */
export interface TailEvidence {
  /** `clean`: ends with the mark of a close. `crash`: does not. */
  readonly ended: 'clean' | 'crash';
  /** Whether all its blocks are intact and small enough to be copied whole. */
  readonly size: 'small' | 'large';
}
type TailAction = 'rewrite-all' | 'rewrite-last' | 'keep';

export const TAIL_ROWS: readonly Row<TailEvidence, TailAction>[] = [
  {
    when: { size: ['small'] },
    action: 'rewrite-all',
    why: 'a short segment would take a whole one at every start; copied, it is free again',
  },
  {
    when: { size: ['large'], ended: ['crash'] },
    action: 'rewrite-last',
    why: 'its sync may have failed and left the block only in the page cache; those before it were synced',
  },
  {
    when: { size: ['large'], ended: ['clean'] },
    action: 'keep',
    why: 'the mark was written after the last sync',
  },
];

/**
 * Looks at a journal from outside, for `heliograph journal verify|dump|stat`: reads only, takes no lock, works on a stopped
 * hub's files and on a running one's. A running hub writes and recycles while we read, so what looks damaged is
 * believed only when a second look sees the same.
 */
import { HubError, systemCode } from '../../base/errors.ts';
import type { Files } from '../../platform/files/files.ts';
import type { Block } from '../block-reader.ts';
import { type Lsn, scanEntry } from '../format.ts';
import { entriesOf } from '../payload.ts';
import { parseQuarantineName, QUARANTINE_NAME } from '../segments/names.ts';
import type { Unsealer } from '../sealer.ts';
import { needKey, sealBroken, type Segment, SegmentHandles } from '../segments/segment.ts';
import { endFault } from './opening.ts';
import { type Survey, survey } from './survey.ts';
import { SegmentWalk, type Step } from './walk.ts';

export interface JournalDamage {
  /** First and last LSN that are lost; both 0 where no entry is, the first where nobody knows it. */
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly file: string;
  /** Where in the file; undefined where all of it is meant. */
  readonly offset: number | undefined;
  readonly what:
    | 'block'
    | 'seal'
    | 'segment-missing'
    | 'segment-unreadable'
    | 'header-copy'
    | 'filler'
    | 'quarantined';
}

export interface VerifyReport {
  readonly segments: number;
  readonly blocks: number;
  readonly entries: number;
  /** Blocks whose seal was checked, and those that only their checksum speaks for, for want of the key. */
  readonly sealsChecked: number;
  readonly sealsUnchecked: number;
  readonly bytes: number;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  /** Whether the last run closed the journal; false while a hub runs. */
  readonly closed: boolean;
  /** Whether an unfinished block stands at the end, which was never acknowledged. */
  readonly torn: boolean;
  readonly damages: readonly JournalDamage[];
}

export interface FolderStat {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly segments: readonly {
    readonly file: string;
    readonly number: number;
    readonly firstLsn: Lsn;
    readonly lastLsn: Lsn;
    readonly epoch: number;
    readonly bytes: number;
  }[];
  /** Prepared ahead, superseded, or waiting to be used again. */
  readonly idleFiles: number;
  readonly bytes: number;
  readonly closed: boolean;
  /** Nothing tells how far it went: `journal.cut`. */
  readonly endFault: HubError | undefined;
  readonly quarantined: readonly AsideRange[];
  /** Kept aside once, and in the journal again. */
  readonly healed: readonly AsideRange[];
}

interface AsideRange {
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly file: string;
}

export type DumpItem =
  | { readonly kind: 'entry'; readonly lsn: Lsn; readonly entry: Uint8Array }
  | { readonly kind: 'gap'; readonly fromLsn: Lsn; readonly toLsn: Lsn };

const LOOKS_MAX = 4;

/**
 * Checks every byte that counts; seals too, as far as `unsealer` has their keys. Throws `data.newer`,
 * `data.unreadable`.
 */
export function verifyJournal(files: Files, dir: string, unsealer: Unsealer): VerifyReport {
  let report = verifyOnce(files, dir, unsealer);
  for (let count = 1; count < LOOKS_MAX && report.damages.length > 0; count++) {
    const again = verifyOnce(files, dir, unsealer);
    if (JSON.stringify(again.damages) === JSON.stringify(report.damages)) return again;
    report = again;
  }
  return report;
}

/** Every entry in order of LSN, and every gap. Throws `journal.unsealable` where the sealer lacks a key. */
export function* dumpJournal(
  files: Files,
  dir: string,
  sealer: Unsealer,
  fromLsn = 1,
): Generator<DumpItem> {
  const handles = new SegmentHandles(files);
  const { segments } = look(files, dir, handles);
  let nextLsn = segments[0]?.firstLsn ?? 1;
  try {
    for (const segment of segments) {
      if (segment.firstLsn > nextLsn) yield gap(nextLsn, segment.firstLsn - 1);
      nextLsn = Math.max(nextLsn, segment.untilLsn);
      if (segment.untilLsn <= fromLsn) continue;
      needKey(segment, sealer);
      for (const step of steps(handles, segment)) {
        if (step.kind === 'damage') yield gap(step.damage.fromLsn, step.damage.toLsn);
        if (step.kind !== 'block') continue;
        for (const item of itemsOf(segment, step.block, sealer))
          if (item.lsn >= fromLsn) yield item;
      }
    }
  } finally {
    handles.closeAll();
  }
}

export function statJournal(files: Files, dir: string): FolderStat {
  const handles = new SegmentHandles(files);
  const found = look(files, dir, handles);
  handles.closeAll();
  const { segments, vacant, names, tail, nextLsn } = found;
  const spareBytes = names.reuse.map((name) => sizeOf(files, `${dir}/${name}`));
  return {
    firstLsn: segments[0]?.firstLsn ?? nextLsn,
    lastLsn: nextLsn - 1,
    segments: segments.map((segment) => ({
      file: segment.path,
      number: segment.number,
      firstLsn: segment.firstLsn,
      lastLsn: segment.untilLsn - 1,
      epoch: segment.header.epoch,
      bytes: segment.sizeBytes,
    })),
    idleFiles: vacant.length + names.reuse.length,
    bytes: [...segments, ...vacant].reduce(
      (sum, segment) => sum + segment.sizeBytes,
      spareBytes.reduce((sum, bytes) => sum + bytes, 0),
    ),
    closed: tail === undefined || tail.closed,
    endFault: endFault(dir, found),
    quarantined: aside(files, dir, false),
    healed: aside(files, dir, true),
  };
}

function look(files: Files, dir: string, handles: SegmentHandles): Survey {
  if (!files.exists(dir)) throw new HubError('data.unreadable', `there is no journal in ${dir}`);
  return survey(files, dir, handles);
}

function verifyOnce(files: Files, dir: string, unsealer: Unsealer): VerifyReport {
  const handles = new SegmentHandles(files);
  const found = look(files, dir, handles);
  const { segments, tail, nextLsn } = found;
  const damages = damagesOf(found, files, dir);
  const counts = { blocks: 0, entries: 0, sealsChecked: 0, sealsUnchecked: 0 };
  for (const segment of segments) {
    const { epoch, keyring } = segment.header;
    const hasKey = epoch > 0 && unsealer.missing(epoch, keyring) === undefined;
    for (const step of steps(handles, segment)) {
      if (step.kind === 'block') {
        counts.blocks += 1;
        counts.entries += step.block.count;
        if (hasKey) counts.sealsChecked += 1;
        else if (epoch > 0) counts.sealsUnchecked += 1;
        if (hasKey && entriesOf(unsealer, segment, step.block) === undefined) {
          damages.push(brokenSeal(segment, step.block));
        }
      } else {
        const damage = damageOf(segment, step);
        if (damage !== undefined) damages.push(damage);
      }
    }
  }
  handles.closeAll();
  return {
    segments: segments.length,
    ...counts,
    bytes: segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
    firstLsn: segments[0]?.firstLsn ?? nextLsn,
    lastLsn: nextLsn - 1,
    closed: tail === undefined || tail.closed,
    torn: tail?.torn === true,
    damages,
  };
}

function damageOf({ path: file }: Segment, step: Step): JournalDamage | undefined {
  if (step.kind === 'damage') {
    const { fromLsn, toLsn, offset } = step.damage;
    return { fromLsn, toLsn, file, offset, what: 'block' };
  }
  if (step.kind !== 'scar') return undefined;
  return { fromLsn: 0, toLsn: 0, file, offset: step.offset, what: 'filler' };
}

function brokenSeal({ path: file }: Segment, block: Block): JournalDamage {
  const { firstLsn: fromLsn, count, offset } = block;
  return { fromLsn, toLsn: fromLsn + Math.max(1, count) - 1, file, offset, what: 'seal' };
}

/** Damage that the survey itself has seen. */
function damagesOf(found: Survey, files: Files, dir: string): JournalDamage[] {
  const damages: JournalDamage[] = [];
  for (const { fromLsn, toLsn } of found.lost) {
    damages.push({ fromLsn, toLsn, file: dir, offset: undefined, what: 'segment-missing' });
  }
  for (const name of found.names['set-aside']) {
    const file = `${dir}/${name}`;
    damages.push({ fromLsn: 0, toLsn: 0, file, offset: undefined, what: 'segment-unreadable' });
  }
  for (const name of found.names['use-and-say']) {
    damages.push({ fromLsn: 0, toLsn: 0, file: `${dir}/${name}`, offset: 0, what: 'header-copy' });
  }
  for (const { fromLsn, toLsn, file } of aside(files, dir, false)) {
    damages.push({ fromLsn, toLsn, file, offset: undefined, what: 'quarantined' });
  }
  return damages;
}

/** Steps through a segment; one that was released meanwhile has no more. */
function* steps(handles: SegmentHandles, segment: Segment): Generator<Step> {
  const walk = new SegmentWalk(handles.reader(segment), segment, segment.firstLsn);
  for (;;) {
    let step: Step;
    try {
      step = walk.next();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    if (step.kind === 'end') return;
    yield step;
  }
}

function* itemsOf(
  segment: Segment,
  block: Block,
  sealer: Unsealer,
): Generator<{ kind: 'entry'; lsn: Lsn; entry: Uint8Array }> {
  const plain = entriesOf(sealer, segment, block);
  if (plain === undefined) throw sealBroken(segment, block.firstLsn);
  let at = 0;
  for (let lsn = block.firstLsn; lsn < block.firstLsn + block.count; lsn++) {
    const place = scanEntry(plain, at);
    if (place === undefined)
      throw new HubError('journal.damaged', `the entry with LSN ${lsn} cannot be read`);
    yield { kind: 'entry', lsn, entry: plain.subarray(place.start, place.end) };
    at = place.end;
  }
}

function aside(files: Files, dir: string, isHealed: boolean): AsideRange[] {
  const folder = `${dir}/${QUARANTINE_NAME}`;
  return files.list(folder).flatMap((name) => {
    const parsed = parseQuarantineName(name);
    if (parsed?.isHealed !== isHealed) return [];
    return [{ fromLsn: parsed.fromLsn, toLsn: parsed.toLsn, file: `${folder}/${name}` }];
  });
}

function gap(fromLsn: Lsn, toLsn: Lsn): DumpItem {
  return { kind: 'gap', fromLsn, toLsn };
}

function sizeOf(files: Files, path: string): number {
  const file = files.open(path, 'read');
  const bytes = file.size();
  file.close();
  return bytes;
}

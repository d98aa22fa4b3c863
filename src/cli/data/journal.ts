/** `heliograph journal …`: looks at the files of a journal, whether a hub runs on them or not; changes nothing. */
import { pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import { SILENT_LOG } from '../../base/log.ts';
import { CborError } from '../../codec/reader.ts';
import { jsonOfCbor, type JsonValue } from '../../codec/json.ts';
import {
  dumpJournal,
  type DumpItem,
  type JournalDamage,
  statJournal,
  type VerifyReport,
  verifyJournal,
} from '../../journal/recovery/inspect.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { decodeEntry } from '../../model/entry.ts';
import { EVENT, KIND_NAMES, type Op } from '../../model/op.ts';
import { hubPaths } from '../../hub/data/data.ts';
import { openUnsealer } from '../../hub/storage/journal.ts';
import type { Unsealer } from '../../journal/sealer.ts';
import { kindOfName, QUARANTINE_NAME } from '../../journal/segments/names.ts';
import { readEscrowKey } from '../../keys/key-encryption.ts';
import { jsonOfPayload } from '../../status/http/values.ts';
import { rangesText } from '../../status/lsn-ranges.ts';
import type { Args } from '../args.ts';
import { configOf } from '../config-options.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { bytesText, columns, countText, printable } from '../text.ts';

export function verifyCommand(args: Args, io: CliIo): ExitCode {
  const dir = journalDir(args, io);
  const report = verifyJournal(io.files, dir, unsealerOf(dir, args, io));
  print(args, io, report, () => verifyLines(dir, report));
  return report.damages.length === 0 ? EXIT.done : EXIT.failed;
}

function verifyLines(dir: string, report: VerifyReport): string[] {
  const { entries, blocks, segments, bytes } = report;
  const counts = [
    countText(entries, 'entry', 'entries'),
    countText(blocks, 'block'),
    countText(segments, 'segment'),
    bytesText(bytes),
  ];
  const lines = [`${dir}: ${rangeText(report.firstLsn, report.lastLsn)}; ${counts.join(', ')}`];
  if (!report.closed) lines.push('Not closed: a hub runs, or the last one ended without a close.');
  if (report.torn) lines.push('An unfinished block stands at the end; it was never acknowledged.');
  lines.push(...sealLines(report), ...report.damages.map((damage) => damageText(damage)));
  if (report.damages.length === 0) lines.push('No damage.');
  return lines;
}

function sealLines({ sealsChecked, sealsUnchecked }: VerifyReport): string[] {
  if (sealsUnchecked > 0) {
    const blocks = countText(sealsUnchecked, 'block');
    return [`${blocks} sealed with keys that are not here: only checksums were checked.`];
  }
  return sealsChecked > 0 ? ['Every seal was checked.'] : [];
}

const DAMAGE_WORDS: Readonly<Record<JournalDamage['what'], string>> = {
  block: 'damaged block',
  seal: 'the seal does not fit, though the checksum does: somebody changed the block',
  'segment-missing': 'a segment is missing',
  'segment-unreadable': 'a segment cannot be read',
  'header-copy': 'one of the two headers is damaged, the other is enough',
  filler: 'damaged bytes that held no entry',
  quarantined: 'damage that was met before, kept aside',
};

function damageText({ what, fromLsn, toLsn, file, offset }: JournalDamage): string {
  const lost = toLsn === 0 ? 'no entry lost' : `${rangeText(fromLsn, toLsn)} lost`;
  const place = offset === undefined ? file : `${file} at byte ${offset}`;
  return `! ${lost}: ${DAMAGE_WORDS[what]} (${place})`;
}

function rangeText(fromLsn: number, toLsn: number): string {
  if (toLsn < fromLsn) return 'no entry';
  return `LSN ${rangesText([{ fromLsn, toLsn }])}`;
}

export function statCommand(args: Args, io: CliIo): void {
  const dir = journalDir(args, io);
  const stat = statJournal(io.files, dir);
  const rows = stat.segments.map(({ file, firstLsn, lastLsn, bytes }) => [
    file.slice(file.lastIndexOf('/') + 1),
    rangeText(firstLsn, lastLsn),
    bytesText(bytes),
  ]);
  print(args, io, stat, () => [
    `${dir}: ${rangeText(stat.firstLsn, stat.lastLsn)}; ${bytesText(stat.bytes)}`,
    `${countText(stat.segments.length, 'segment')} in use, ${countText(stat.idleFiles, 'file')} ready`,
    ...stat.quarantined.map(({ fromLsn, toLsn }) => `! ${rangeText(fromLsn, toLsn)} kept aside`),
    ...columns(rows, [2]),
  ]);
}

/** Entries between which signals and timers have their turn. */
const SLICE_ENTRIES = 256;

export async function dumpCommand(args: Args, io: CliIo): Promise<void> {
  const dir = journalDir(args, io);
  const fromLsn = args.number('from', 1, Number.MAX_SAFE_INTEGER) ?? 1;
  const limit = args.number('limit', 1, Number.MAX_SAFE_INTEGER) ?? Number.MAX_SAFE_INTEGER;
  const render = args.has('json') ? (item: DumpItem) => JSON.stringify(jsonOf(item)) : dumpLine;
  let count = 0;
  for (const item of dumpJournal(io.files, dir, unsealerOf(dir, args, io), fromLsn)) {
    io.stdout(`${render(item)}\n`);
    count += 1;
    if (count >= limit || io.signal.aborted) break;
    if (count % SLICE_ENTRIES === 0) await pause(io.timers, 0);
  }
}

type Dumped =
  | { readonly lsn: number; readonly type: 'op'; readonly op: Op; readonly hub: string }
  | { readonly lsn: number; readonly type: 'local' | 'unreadable'; readonly bytes: number };

function dumpedOf(lsn: number, bytes: Uint8Array): Dumped {
  try {
    const entry = decodeEntry(bytes);
    if (entry.type === 'local') return { lsn, type: 'local', bytes: entry.body.length };
    return { lsn, type: 'op', op: entry.stamped.op, hub: entry.stamped.stamp.hub };
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    return { lsn, type: 'unreadable', bytes: bytes.length };
  }
}

function jsonOf(item: DumpItem): JsonValue {
  if (item.kind === 'gap') return { type: 'gap', fromLsn: item.fromLsn, toLsn: item.toLsn };
  const dumped = dumpedOf(item.lsn, item.entry);
  if (dumped.type !== 'op') return dumped;
  const { op, hub, lsn } = dumped;
  return {
    lsn,
    type: 'op',
    origin: op.origin,
    class: CLASS_NAMES[op.class],
    seq: op.seq,
    at: isoTime(op.hlc.ms),
    clock: op.clock.quality,
    hub,
    kind: KIND_NAMES[op.kind],
    key: op.key,
    body: bodyOf(op),
  };
}

/** `102  2026-03-01T06:10:00.000Z  telemetry  event  meters/1  {"w":21.5}`. */
function dumpLine(item: DumpItem): string {
  if (item.kind === 'gap') return `! ${rangeText(item.fromLsn, item.toLsn)} cannot be read`;
  const dumped = dumpedOf(item.lsn, item.entry);
  if (dumped.type !== 'op') return `${item.lsn}  ${dumped.type}  ${bytesText(dumped.bytes)}`;
  const { op } = dumped;
  const body = JSON.stringify(bodyOf(op));
  const names = `${CLASS_NAMES[op.class]}  ${KIND_NAMES[op.kind]}  ${printable(op.key)}`;
  return `${item.lsn}  ${isoTime(op.hlc.ms)}  ${names}  ${body.length > 120 ? `${body.slice(0, 119)}…` : body}`;
}

function bodyOf(op: Op): JsonValue {
  return op.kind === EVENT ? jsonOfPayload(op.body) : jsonOfCbor(op.body);
}

/** The folder given, its `journal` where it is a hub's data directory, or that of the configuration. */
function journalDir(args: Args, io: CliIo): string {
  const given = args.operands[0];
  const dir = given === undefined ? hubPaths(configOf(args, io).data).journal : given;
  const inside = hubPaths(dir).journal;
  const place = given !== undefined && io.files.exists(inside) ? inside : dir;
  if (io.files.exists(place) && io.files.list(place).some(isOfJournal)) return place;
  throw new HubError('data.unreadable', `there is no journal at ${place} that this user may read`);
}

/** A folder without any of it has no damage, but the wrong folder must not pass for a sound journal. */
function isOfJournal(name: string): boolean {
  return kindOfName(name) === 'segment' || name === QUARANTINE_NAME;
}

/** The keys of the data directory that the journal is part of, or of `--keys`; the operator's where it is given. */
function unsealerOf(journal: string, args: Args, io: CliIo): Unsealer {
  const keys = args.text('keys') ?? `${journal}/../keys`;
  const paths = { kek: `${keys}/kek`, epochKeys: `${keys}/epochs` };
  const escrowKey = args.text('escrow-key');
  const operator = escrowKey === undefined ? undefined : readEscrowKey(io.files, escrowKey);
  return openUnsealer({ ...io, log: SILENT_LOG }, paths, operator);
}

/** `heliograph audit`: every op's way through the hub, from the files of the audit log; a hub may run on them or not. */
import { readAudit } from '../../audit/audit-files.ts';
import type { AuditLine } from '../../audit/audit-line.ts';
import { wayOfOp } from '../../audit/way-of-op.ts';
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import { hubPaths, regionalDir } from '../../hub/data/data.ts';
import { regionAuditDir } from '../../region/audit.ts';
import { opIdOfText } from '../../merge/op-id.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { type Args, UsageError } from '../args.ts';
import { configOf } from '../config-options.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { sinceOf } from '../power/log.ts';
import { countText, printable } from '../text.ts';

export function auditCommand(args: Args, io: CliIo): ExitCode {
  const { data } = configOf(args, io);
  const dir = args.has('regional') ? regionAuditDir(regionalDir(data)) : hubPaths(data).audit;
  if (!io.files.exists(dir)) {
    io.stderr(
      `There is no audit log at ${dir}: nothing has run there, or audit.enabled was never true.\n`,
    );
    return EXIT.failed;
  }
  const all = readAudit(io.files, dir);
  const opText = args.text('op');
  const lines = opText === undefined ? all : wayOf(opText, all);
  const since = sinceOf(args.text('since'), io);
  const sinceMs = since === undefined ? 0 : (wallMsOfIso(since) ?? 0);
  const shown = lines.filter(({ at }) => (wallMsOfIso(at) ?? 0) >= sinceMs);
  for (const line of shown) {
    io.stdout(`${args.has('json') ? JSON.stringify(line) : sentenceOf(line)}\n`);
  }
  if (opText === undefined || lines.length > 0) return EXIT.done;
  io.stderr(
    `Nothing is known of ${printable(opText)} here. Was it received in the last minute, before the oldest ` +
      'line that is kept, or while audit.enabled was false?\n',
  );
  return EXIT.failed;
}

function wayOf(text: string, lines: readonly AuditLine[]): AuditLine[] {
  const op = opIdOfText(text);
  if (op === undefined) {
    throw new UsageError(`--op: ${text} is no op, such as a1b2c3d4e5f60718/telemetry/17`);
  }
  return wayOfOp(lines, { origin: op.origin, class: CLASS_NAMES[op.class], seq: op.seq });
}

function sentenceOf(line: AuditLine): string {
  const at = isoTime(wallMsOfIso(line.at) ?? 0);
  return `${at}  ${line.event.padEnd(9)}  ${printable(detailOf(line))}`;
}

function detailOf(line: AuditLine): string {
  switch (line.event) {
    case 'received':
      return `${opsOf(line)}, ${entriesOf(line)}, the last at ${line.lastAt}`;
    case 'batched':
      return `${opsOf(line)} in batch ${line.batch}`;
    case 'receipted':
      return `${opsOf(line)}: the region has stored batch ${line.batch}`;
    case 'refused':
      return `${opsOf(line)}: the region refused batch ${line.batch}: ${line.reason}`;
    case 'hindered':
      return `nothing is sent: ${line.reason}`;
    case 'merged':
      return `${entriesOf(line)} in the state`;
    case 'pruned':
      return `${entriesOf(line)} out of the journal`;
    case 'conflict':
      return `${line.key}, ${line.field}: ${line.winner} stands, ${line.loser} does not`;
    case 'undone':
      return `${line.op} by ${line.by}`;
    default:
      return JSON.stringify(line);
  }
}

function entriesOf({ lsns: [first, last] }: { readonly lsns: readonly [number, number] }): string {
  return first === last ? `entry ${first}` : `entries ${first} … ${last}`;
}

const RANGES_SHOWN_MAX = 3;

function opsOf(line: Extract<AuditLine, { ranges: unknown }>): string {
  const shown = line.ranges
    .slice(0, RANGES_SHOWN_MAX)
    .map(([origin, from, to]) => `${origin}/${line.class}/${from === to ? from : `${from}…${to}`}`);
  const more = line.ranges.length > RANGES_SHOWN_MAX ? ' and others' : '';
  return `${countText(line.ops, 'op')} (${shown.join(', ')}${more})`;
}

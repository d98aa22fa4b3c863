/** `heliograph records …`, `undo`: look at records and take steps back, through the running hub. */
import { opIdOfText } from '../../merge/op-id.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from './hub-api.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { columns, printable } from '../text.ts';

interface RecordDocument {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly counters: Readonly<Record<string, unknown>>;
  readonly asset?: AssetDocument;
  readonly doc?: {
    readonly bytes: number;
    readonly roots: readonly string[];
    readonly clients: number;
    readonly units: number;
    readonly deleted: number;
    readonly hasGaps: boolean;
  };
}

/** The version of an asset that stands, or that an op made. */
export interface AssetDocument {
  readonly sha256: string;
  readonly size: number;
  readonly type: string;
  readonly note?: string;
  readonly tags?: readonly string[];
}

interface OpDocument {
  readonly op: string;
  readonly at: string;
  /** Where the maker's clock was not set: `unknown`, or `repaired`. */
  readonly clock?: string;
  readonly role: string;
  readonly kind: string;
  readonly undone: boolean;
  readonly fields?: unknown;
  readonly add?: unknown;
  readonly asset?: AssetDocument;
  readonly undoes?: readonly string[];
  /** Of a step in a document. */
  readonly bytes?: number;
}

export async function getRecord(args: Args, io: CliIo): Promise<void> {
  const key = args.operand(0);
  const path = `/api/v1/records/${encodeURIComponent(key)}`;
  const record = (await HubApi.of(args, io).json(path)) as RecordDocument;
  const rows = [...Object.entries(record.fields), ...Object.entries(record.counters)];
  print(args, io, record, () => [
    ...columns(rows.map(([name, value]) => [printable(name), shown(value)])),
    ...(record.asset === undefined ? [] : [`asset: ${assetText(record.asset)}`]),
    ...(record.doc === undefined ? [] : [docText(record.doc)]),
  ]);
}

export async function listRecords(args: Args, io: CliIo): Promise<void> {
  const api = HubApi.of(args, io);
  const prefix = encodeURIComponent(args.operands[0] ?? '');
  const isJson = args.has('json');
  let after = '';
  let between = '';
  if (isJson) io.stdout('[');
  for (let isMore = true; isMore && !io.signal.aborted;) {
    const path = `/api/v1/records?prefix=${prefix}&after=${encodeURIComponent(after)}`;
    const page = (await api.json(path)) as { records: readonly string[]; next: string | null };
    for (const key of page.records) {
      io.stdout(isJson ? `${between}${JSON.stringify(key)}` : `${printable(key)}\n`);
      between = ',\n';
    }
    isMore = page.next !== null;
    after = page.next ?? '';
  }
  if (isJson) io.stdout(']\n');
}

const CLOCK_WORDS: Readonly<Record<string, string>> = {
  repaired: 'repaired',
  doubtful: 'clock in doubt',
  unknown: 'clock not set',
};

export async function showHistory(args: Args, io: CliIo): Promise<void> {
  const limit = args.number('limit', 1, 10_000) ?? 1_000;
  const path = `/api/v1/history?key=${encodeURIComponent(args.operand(0))}&limit=${limit}`;
  const history = (await HubApi.of(args, io).json(path)) as { ops: readonly OpDocument[] };
  print(args, io, history, () =>
    columns(
      history.ops.map(
        ({ op, at, clock, role, kind, undone, fields, add, asset, undoes, bytes }) => [
          clock === undefined ? at : `${at} (${CLOCK_WORDS[clock] ?? clock})`,
          op,
          role,
          undone ? `${kind} (undone)` : kind,
          asset === undefined
            ? shown(fields ?? add ?? undoes ?? (bytes === undefined ? '' : `${bytes} bytes`))
            : assetText(asset),
        ],
      ),
    ),
  );
}

function opOperand(args: Args): string {
  const text = args.operand(0);
  if (opIdOfText(text) !== undefined) return text;
  throw new UsageError(`OP: ${text} is no op, such as a1b2c3d4e5f60718/record/17`);
}

export async function undoOp(args: Args, io: CliIo): Promise<void> {
  const wish = { op: opOperand(args), cascade: args.has('cascade') };
  const done = (await HubApi.of(args, io).post('/api/v1/undo', wish)) as {
    op: string;
    undone: readonly string[];
  };
  print(args, io, done, () => [
    `Undone: ${done.undone.join(', ')}.`,
    `\`heliograph undo ${done.op}\` brings it back.`,
  ]);
}

/** One line: what it is, and what its maker said about it. */
export function assetText({ sha256, size, type, note, tags }: AssetDocument): string {
  const hints = [
    ...(note === undefined ? [] : [`"${note}"`]),
    ...(tags ?? []).map((tag) => `#${tag}`),
  ];
  return printable([type, `${size} bytes`, sha256, ...hints].join('  '));
}

function docText({
  bytes,
  roots,
  clients,
  units,
  hasGaps,
}: NonNullable<RecordDocument['doc']>): string {
  const gaps = hasGaps ? ['parts are still to come'] : [];
  const written = `${units} units by ${clients} clients`;
  return printable(['document:', roots.join(', '), written, `${bytes} bytes`, ...gaps].join('  '));
}

export function shown(value: unknown): string {
  if (isAsset(value)) return assetText(value);
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}

function isAsset(value: unknown): value is AssetDocument {
  return typeof value === 'object' && value !== null && 'sha256' in value && 'type' in value;
}

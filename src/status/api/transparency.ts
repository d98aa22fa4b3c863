/**
 * The ledger over HTTP: each class a log of C2SP tlog-tiles below `/log/<class>`, and proofs of single ops. `/log/checkpoint`
 * and `/log/tile/…` are those of telemetry. Entries are not served there: hashes tell nothing, ops are for those who
 * may read their keys.
 */
import { classNamed, isOpClass, type OpClass, TELEMETRY } from '../../model/class.ts';
import { originOfText } from '../../model/origin.ts';
import { textAnswer } from '../http/answers.ts';
import type { MayRead } from '../http/login.ts';
import { problem } from '../http/problem.ts';

/** What is asked of the ledger. */
export interface TransparencyLog {
  /** A signed note. */
  checkpoint(opClass: OpClass): string;
  /** The last one that the region has cosigned, with its line. */
  cosigned(opClass: OpClass): string | undefined;
  /** That the tree of `size` leaves, all of them where it is left out, goes on from that of `oldSize`; undefined where it has not so many. */
  since(opClass: OpClass, oldSize: number, size: number | undefined): string | undefined;
  /** For tools that verify signed notes. */
  verifierKey(opClass: OpClass): string;
  tile(
    opClass: OpClass,
    level: number,
    index: number,
    width: number | undefined,
  ): Uint8Array | undefined;
  /** LSN of the op with this name. */
  locate(name: OpPlace): Promise<number | undefined>;
  /** The proof file of an entry, and the key of its op. */
  prove(lsn: number): { readonly key: string; readonly text: string } | undefined;
}

interface OpPlace {
  readonly origin: NonNullable<ReturnType<typeof originOfText>>;
  readonly class: OpClass;
  readonly seq: number;
}

const NOTE_TYPE = 'text/plain; charset=utf-8';
const TILE_PATH =
  /^\/log\/(?:([a-z]+)\/)?tile\/(\d{1,2})\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/;
const TEXT_PATH = /^\/log\/(?:([a-z]+)\/)?(checkpoint|cosigned|key)$/;
const SINCE_PATH = /^\/log\/(?:([a-z]+)\/)?since\/(0|[1-9]\d{0,14})(?:\/(0|[1-9]\d{0,14}))?$/;
const WIDTH_MAX = 255;

/** Answers paths below `/log/`. */
export function logFileAnswer(log: TransparencyLog, path: string): Response {
  const [, className, what] = TEXT_PATH.exec(path) ?? [];
  const opClass = classFor(className);
  if (what !== undefined && opClass !== undefined) {
    const text = textFor(log, opClass, what);
    return text === undefined
      ? problem(404, 'The region has cosigned nothing of this class.')
      : textAnswer(text, NOTE_TYPE);
  }
  const since = SINCE_PATH.exec(path);
  if (since !== null) return sinceAnswer(log, since);
  const tile = tileAt(log, path);
  if (tile === undefined) return problem(404, `The ledger has nothing at ${path}.`);
  return new Response(new Uint8Array(tile), {
    headers: {
      'Content-Type': 'application/octet-stream',
      'Cache-Control': 'private, max-age=31536000, immutable',
    },
  });
}

function textFor(log: TransparencyLog, opClass: OpClass, what: string): string | undefined {
  if (what === 'checkpoint') return log.checkpoint(opClass);
  return what === 'cosigned' ? log.cosigned(opClass) : `${log.verifierKey(opClass)}\n`;
}

function sinceAnswer(
  log: TransparencyLog,
  [path, className, old, size]: RegExpExecArray,
): Response {
  const opClass = classFor(className);
  if (opClass === undefined) return problem(404, `The ledger has nothing at ${path}.`);
  const text = log.since(opClass, Number(old), size === undefined ? undefined : Number(size));
  return text === undefined
    ? problem(404, `The history does not go from ${old} ops to ${size ?? 'those of now'}.`)
    : textAnswer(text, NOTE_TYPE);
}

function tileAt(log: TransparencyLog, path: string): Uint8Array | undefined {
  const [, className, level, groups = '', width] = TILE_PATH.exec(path) ?? [];
  const opClass = classFor(className);
  if (level === undefined || opClass === undefined) return undefined;
  // Groups of three digits, all but the last with an x before.
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  const hashes = width === undefined ? undefined : Number(width);
  if (hashes === 0 || (hashes ?? 1) > WIDTH_MAX || !Number.isSafeInteger(index)) return undefined;
  return log.tile(opClass, Number(level), index, hashes);
}

function classFor(name: string | undefined): OpClass | undefined {
  return name === undefined ? TELEMETRY : classNamed(name);
}

/** `?op=`: the proof file of an op, for whoever may read its key. */
export async function proofAnswer(
  log: TransparencyLog,
  { searchParams }: URL,
  mayRead: MayRead,
): Promise<Response> {
  const op = searchParams.get('op') ?? '';
  const lsn = await lsnOfOp(log, op);
  const proof = lsn === undefined ? undefined : log.prove(lsn);
  if (proof === undefined) {
    const form = 'Ops are named by <LSN> or <origin>/<class>/<seq>.';
    const lacks = `There is no op ${op} in the journal that this hub has accepted. The journal lets go of what has its receipt: proofs that were kept stay good. What the region sent down is no leaf here.`;
    return problem(404, op === '' ? form : `${lacks} ${form}`);
  }
  if (!mayRead(proof.key)) return problem(403, `You may not read ${proof.key}.`);
  return textAnswer(proof.text, NOTE_TYPE);
}

/** The LSN that `?op=` means: itself, or `<origin>/<class>/<seq>`. */
async function lsnOfOp(log: TransparencyLog, text: string): Promise<number | undefined> {
  if (/^[1-9]\d{0,15}$/.test(text)) return Number(text);
  const [, originText = '', classText = '', seq = ''] =
    /^([0-9a-f]{16})\/([a-z]+|\d)\/([1-9]\d{0,15})$/.exec(text) ?? [];
  const origin = originOfText(originText);
  // By number in histories and receipts, by name in the journal's dump.
  const opClass = /^\d$/.test(classText) ? Number(classText) : classNamed(classText);
  if (origin === undefined || opClass === undefined || !isOpClass(opClass)) return undefined;
  return log.locate({ origin, class: opClass, seq: Number(seq) });
}

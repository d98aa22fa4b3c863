/**
 * Records over HTTP: how they stand, how they came to it, what was in conflict, and mending: undo and resolve. What
 * mends becomes an op of this hub with the authority of whoever asks; the answer comes when the op is durable
 * and shows. In mode `password` for the people of the site, not for devices.
 */
import { type Timers, turn } from '../../base/clock.ts';
import type { JsonValue } from '../../codec/json.ts';
import type { Role } from '../../model/op.ts';
import { jsonAnswer } from '../http/answers.ts';
import type { MayRead } from '../http/login.ts';
import { problem } from '../http/problem.ts';
import type { Wish } from '../http/wish.ts';

type JsonObject = Readonly<Record<string, JsonValue>>;

/** What became of a wish to mend something. */
export type Mended =
  | { readonly kind: 'done'; readonly answer: JsonObject }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The wish names nothing that could be. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** What shall stand: a value, or what an op in conflict wrote. */
type Resolution = { readonly value: JsonValue } | { readonly take: string };

export interface RecordDoor {
  /** Fields, counters, asset, and what there is to say of its document; undefined where there is no such record. */
  get(key: string): JsonObject | undefined;
  /** The document as one Yjs update. */
  doc(key: string): Uint8Array | undefined;
  /** Keys that begin with `prefix` and come after `after`. */
  keys(prefix: string, after: string, limit: number): readonly string[];
  /** All ops on the record, the earliest first; empty where there are none. */
  history(key: string, limit: number): readonly JsonObject[];
  /** Conflicts, the newest first, of keys that may be read; and what was counted of all. */
  conflicts(query: {
    includeClosed: boolean;
    limit: number;
    keys: { key: string } | { prefix: string };
    mayRead: MayRead;
  }): JsonObject;
  undo(wish: { op: string; cascade: boolean; role: Role; mayRead: MayRead }): Promise<Mended>;
  resolve(wish: Resolution & { key: string; field: string; role: Role }): Promise<Mended>;
}

/** Ops of a history that are told unless more are asked for; with ten thousand the hub would serve nobody else meanwhile. */
const HISTORY_DEFAULT = 1_000;
const HISTORY_MAX = 10_000;
const KEYS_MAX = 1_000;
const CONFLICTS_MAX = 1_000;

export function recordAnswer(door: RecordDoor, key: string): Response {
  const record = door.get(key);
  return record === undefined
    ? problem(404, `There is no record ${key}.`)
    : jsonAnswer({ key, ...record });
}

/** The document, for whoever gives it to `Y.applyUpdate`. */
export function docAnswer(door: RecordDoor, key: string): Response {
  const update = door.doc(key);
  if (update === undefined) return problem(404, `There is no document ${key}.`);
  return new Response(new Uint8Array(update), {
    headers: { 'Content-Type': 'application/octet-stream', 'Cache-Control': 'no-store' },
  });
}

/**
 * `?prefix=&after=`: a page of keys; `next` goes into `after` of the next question. It is a key that may be read: pages without one
 * are passed over, with turns for others in between.
 */
export async function recordsAnswer(
  door: RecordDoor,
  timers: Timers,
  url: URL,
  mayRead: MayRead,
): Promise<Response> {
  const prefix = url.searchParams.get('prefix') ?? '';
  let after = url.searchParams.get('after') ?? '';
  for (;;) {
    const found = door.keys(prefix, after, KEYS_MAX);
    const records = found.filter((key) => mayRead(key));
    if (found.length < KEYS_MAX) return jsonAnswer({ records, next: null });
    if (records.length > 0) return jsonAnswer({ records, next: records.at(-1) });
    after = found.at(-1) as string;
    await turn(timers);
  }
}

/** `?key=&limit=`: the newest ops, the earliest first. */
export function historyAnswer(door: RecordDoor, url: URL, mayRead: MayRead): Response {
  const key = url.searchParams.get('key') ?? '';
  if (key === '') return problem(400, 'Say which: ?key=order/17');
  if (!mayRead(key)) return problem(403, `You may not read ${key}.`);
  const limit = Number(url.searchParams.get('limit') ?? HISTORY_DEFAULT);
  if (!Number.isInteger(limit) || limit < 1 || limit > HISTORY_MAX) {
    return problem(400, `Say how many of the newest: ?limit=1 to ${HISTORY_MAX}`);
  }
  const ops = door.history(key, limit);
  return ops.length === 0 ? problem(404, `Nobody wrote ${key}.`) : jsonAnswer({ key, ops });
}

/** Open ones; `?all=1`: those that ended too; `?key=` or `?prefix=`: of these records alone. */
export function conflictsAnswer(door: RecordDoor, url: URL, mayRead: MayRead): Response {
  const includeClosed = url.searchParams.get('all') === '1';
  const key = url.searchParams.get('key');
  const keys = key === null ? { prefix: url.searchParams.get('prefix') ?? '' } : { key };
  return jsonAnswer(door.conflicts({ includeClosed, limit: CONFLICTS_MAX, keys, mayRead }));
}

/** `{"op": "<origin>/<class>/<seq>", "cascade": false}`. */
export async function undoAnswer(
  door: RecordDoor,
  wish: Wish,
  mayRead: MayRead,
): Promise<Response> {
  const { op, cascade = false } = wish.body;
  if (typeof op !== 'string' || typeof cascade !== 'boolean') {
    return problem(400, 'Say which: {"op": "<origin>/<class>/<seq>", "cascade": false}.');
  }
  return mended(await door.undo({ op, cascade, role: wish.role, mayRead }));
}

/**
 * `{"key": …, "field": …, "value": …}`: what shall stand, having seen all that is in conflict; or `"take": "<op>"`, what this one of
 * them wrote.
 */
export async function resolveAnswer(
  door: RecordDoor,
  wish: Wish,
  mayRead: MayRead,
): Promise<Response> {
  const { key, field } = wish.body;
  const resolution = resolutionIn(wish.body);
  if (typeof key !== 'string' || typeof field !== 'string' || resolution === undefined) {
    return problem(400, 'Say what shall stand: {"key": "order/17", "field": "state", "value": …}.');
  }
  if (!mayRead(key)) return problem(403, `You may not read ${key}.`);
  return mended(await door.resolve({ key, field, ...resolution, role: wish.role }));
}

function resolutionIn({ value, take }: Wish['body']): Resolution | undefined {
  if (take === undefined) return value === undefined ? undefined : { value };
  return typeof take === 'string' && value === undefined ? { take } : undefined;
}

function mended(outcome: Mended): Response {
  if (outcome.kind === 'done') return jsonAnswer(outcome.answer);
  return problem(outcome.kind === 'malformed' ? 400 : 409, `${outcome.reason}.`);
}

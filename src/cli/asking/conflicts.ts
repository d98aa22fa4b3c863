/** `heliograph conflicts …`: what is in conflict, and what shall stand, of one record or of many at once. */
import { HubError } from '../../base/errors.ts';
import { type Args, UsageError } from '../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { countText, printable } from '../text.ts';
import { HubApi } from './hub-api.ts';
import { shown } from './records.ts';

interface Side {
  readonly op: string;
  readonly at: string;
  readonly role: string;
  readonly value: unknown;
}

interface Conflict {
  readonly key: string;
  readonly field: string;
  readonly kind: string;
  readonly why: string;
  readonly winner: Side;
  readonly loser: Side;
  readonly closedAt: string | null;
}

interface ConflictsDocument {
  readonly edits: number;
  readonly met: number;
  readonly open: number;
  /** The newest first, so many as the hub tells at once. */
  readonly conflicts: readonly Conflict[];
}

const AT_ONCE = 16;

export async function listConflicts(args: Args, io: CliIo): Promise<void> {
  const found = await conflictsOf(HubApi.of(args, io), args.operands[0], args.has('all'));
  print(args, io, found, () => [
    `${countText(found.open, 'conflict')} open, ${found.met} concurrent in ${countText(found.edits, 'edit')}`,
    ...found.conflicts.flatMap(({ key, field, kind, why, winner, loser, closedAt }) => [
      `${printable(key)}  ${fieldText(field)}  ${kind}${closedAt === null ? '' : `, ended ${closedAt}`}`,
      `  stands (${why})  ${sideText(winner)}`,
      `  lost  ${sideText(loser)}`,
    ]),
  ]);
}

export async function resolveConflict(args: Args, io: CliIo): Promise<ExitCode | void> {
  const take = args.text('take');
  if (take !== undefined) return resolveMany(args, io, take);
  const [key, field] = args.operands as [string, string | undefined];
  if (field === undefined || args.operands.length < 3) {
    throw new UsageError('say what shall stand: FIELD and VALUE, or --take stands or --take lost');
  }
  const wish = { key, field, value: valueOf(args) };
  const done = await HubApi.of(args, io).post('/api/v1/conflicts/resolve', wish);
  print(args, io, done, () => [
    `${printable(wish.key)} ${printable(wish.field)} is ${shown(wish.value)} now.`,
  ]);
}

/** All that the operands mean, each by an op of its own; what is refused is told, and the rest goes on. */
async function resolveMany(args: Args, io: CliIo, take: string): Promise<ExitCode> {
  if (take !== 'stands' && take !== 'lost') {
    throw new UsageError(`--take is stands or lost, not ${take}`);
  }
  if (args.operands.length > 2) throw new UsageError('VALUE or --take, not both');
  const [key, onlyIn] = args.operands as [string, string | undefined];
  const api = HubApi.of(args, io);
  const isJson = args.has('json');
  const tried = new Set<string>();
  let resolved = 0;
  let refused = 0;
  for (let isMore = true; isMore && !io.signal.aborted;) {
    const { conflicts } = await conflictsOf(api, key, false);
    const due = takenIn(conflicts, take).filter(
      ({ op, field }) => !tried.has(op + field) && (onlyIn === undefined || field === onlyIn),
    );
    isMore = due.length > 0;
    for (const { op, field } of due) tried.add(op + field);
    // Side by side: each waits for the hub's card.
    for (let at = 0; at < due.length && !io.signal.aborted; at += AT_ONCE) {
      const answers = due.slice(at, at + AT_ONCE).map((taken) => resolveOne(api, taken));
      for (const answer of await Promise.all(answers)) {
        if ('refusal' in answer) {
          refused += 1;
          io.stderr(`${answer.refusal}\n`);
        } else {
          resolved += 1;
          io.stdout(`${isJson ? JSON.stringify(answer.done) : resolvedText(answer.done)}\n`);
        }
      }
    }
  }
  if (!isJson) {
    const left = refused === 0 ? '' : `, ${refused} refused`;
    io.stdout(`${countText(resolved, 'conflict')} resolved${left}\n`);
  }
  return refused === 0 ? EXIT.done : EXIT.failed;
}

async function resolveOne(
  api: HubApi,
  { key, field, op }: Taken,
): Promise<{ readonly done: Resolved } | { readonly refusal: string }> {
  try {
    const wish = { key, field, take: op };
    return { done: (await api.post('/api/v1/conflicts/resolve', wish)) as Resolved };
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'hub.declined') throw error;
    return { refusal: `${printable(key)} ${fieldText(field)}: ${error.message}` };
  }
}

interface Resolved {
  readonly op: string;
  readonly key: string;
  readonly field?: string;
  readonly value?: unknown;
}

function resolvedText({ op, key, field = '', value }: Resolved): string {
  const now = value === undefined ? '' : ` is ${shown(value)} now`;
  return `${printable(key)} ${fieldText(field)}${now}  ${op}`;
}

interface Taken {
  readonly key: string;
  readonly field: string;
  readonly op: string;
}

/** Whose value each field in conflict shall have: where several lost, that of the latest. */
function takenIn(conflicts: readonly Conflict[], take: 'stands' | 'lost'): Taken[] {
  const byPlace = new Map<string, Conflict>();
  for (const conflict of conflicts) {
    const place = JSON.stringify([conflict.key, conflict.field]);
    const known = byPlace.get(place);
    if (known === undefined || known.loser.at < conflict.loser.at) byPlace.set(place, conflict);
  }
  return [...byPlace.values()].map(({ key, field, winner, loser }) => ({
    key,
    field,
    op: (take === 'stands' ? winner : loser).op,
  }));
}

/** `KEY` is a key, or with `*` at its end what keys begin with. */
async function conflictsOf(
  api: HubApi,
  key: string | undefined,
  isAll: boolean,
): Promise<ConflictsDocument> {
  const query = new URLSearchParams(isAll ? { all: '1' } : {});
  if (key?.endsWith('*') === true) query.set('prefix', key.slice(0, -1));
  else if (key !== undefined) query.set('key', key);
  const asked = query.size === 0 ? '' : `?${query.toString()}`;
  return (await api.json(`/api/v1/conflicts${asked}`)) as ConflictsDocument;
}

function valueOf(args: Args): unknown {
  const text = args.operand(2);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UsageError(`VALUE is JSON, such as '"done"' or 21.5, not ${text}`);
  }
}

function fieldText(field: string): string {
  return field === '' ? 'asset' : printable(field);
}

function sideText({ op, at, role, value }: Side): string {
  return `${shown(value)}  by ${role}, ${at}  ${op}`;
}

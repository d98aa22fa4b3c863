/**
 * Which writes of a record were made without knowledge of each other (MERGE.md §7). A write may name, per field, the
 * writes that its writer had before its eyes; following those names from the prevailing write reaches all that was
 * known when it was made. A write that is not reached lost: somebody's work that nobody has looked at. A pure function
 * of the set of ops, like the state itself.
 */
import { hexOf } from '../base/bytes.ts';
import { LOG } from '../model/class.ts';
import { ADD, CONTROL, REMOVE, type StampedOp, UNDO } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import { isSameOp, type OpId, textOfOpId } from './op-id.ts';
import { compareOrders, compareTimes, prevails, type WriteOrder, writeOrder } from './order.ts';
import type { Patch } from './patch.ts';
import type { RecordWrite } from './record.ts';
import { foldRecord, keptOf } from './record/fold-record.ts';
import { ListedOps, type RecordOps } from './record/record-ops.ts';
import { baseOf } from './record/standing.ts';
import { isUndone } from './record/undone.ts';
import { readRegisterWrites } from './register-writes.ts';

export interface Conflict {
  readonly field: string;
  /**
   * `overruled`: the loser knew the winner, and had not the authority. `concurrent`: neither knew the other. `agreed`: both say
   * the same, and nobody has anything to decide.
   */
  readonly kind: 'concurrent' | 'overruled' | 'agreed';
  readonly winner: WriteOrder;
  readonly loser: WriteOrder;
}

/** A conflict for a person to decide. */
export type Dispute = Conflict & { readonly kind: Exclude<Conflict['kind'], 'agreed'> };

export function isDispute<C extends Conflict>(conflict: C): conflict is C & Dispute {
  return conflict.kind !== 'agreed';
}

/** A longer value is not compared: it is taken to differ. */
const COMPARED_BYTES_MAX = 64;
/** Newest writes of a field that are looked at. */
export const FIELD_WRITES_MAX = 256;

/** A write of a field that counts, as far as conflicts are concerned. */
export interface FieldNode {
  readonly order: WriteOrder;
  readonly name: string;
  /** Names of what the writer had seen; undefined where it told nothing. */
  readonly seen: readonly string[] | undefined;
  /** The value as hex, where it is short. */
  readonly value: string | undefined;
}

/** What stands in a record where an op comes to it. */
interface Surroundings {
  /** Whether a field, or any, is in conflict. */
  readonly isOpen: (field?: string) => boolean;
  /** Order of what stands in a field. */
  readonly standingOf: (field: string) => WriteOrder | undefined;
}

/**
 * True where folding the op can neither make nor end a conflict; asked before it is folded. `written` is what it writes, where it
 * is a patch or version.
 */
export function isPlainWrite(
  stamped: StampedOp,
  written: Patch | undefined,
  { isOpen, standingOf }: Surroundings,
): boolean {
  const { kind, class: opClass } = stamped.op;
  if (kind === ADD || opClass === LOG) return true;
  if (kind === UNDO || kind === CONTROL) return false;
  if (kind === REMOVE) return !isOpen();
  const order = writeOrder(stamped);
  for (const field of written?.fields.keys() ?? []) {
    if (isOpen(field)) return false;
    const standing = standingOf(field);
    if (standing === undefined) continue;
    if (!prevails(order, standing) || compareTimes(order, standing) < 0) return false;
    const seen = written?.seen.get(field);
    if (seen === undefined || standing.origin === order.origin) continue;
    if (!seen.some((id) => isSameOp(id, standing))) return false;
  }
  return true;
}

/** The open conflicts of a record, by field and loser. */
export function conflictsOf(writes: readonly RecordWrite[]): Conflict[] {
  const { tombstone, fields } = foldRecord(writes);
  const ops = new ListedOps(keptOf(writes));
  return [...fields.keys()].flatMap((field) => conflictsIn(ops, field, tombstone));
}

/** The open conflicts of a field of a record that has this tombstone. */
export function conflictsIn(
  ops: RecordOps,
  field: string,
  tombstone: WriteOrder | undefined,
): Conflict[] {
  return conflictsAmong(field, nodesOf(ops, field, tombstone));
}

/** The same where it is known which writes count: the greatest first. */
export function conflictsAmong(field: string, nodes: readonly FieldNode[]): Conflict[] {
  const [winner, ...others] = nodes;
  if (winner === undefined || others.length === 0) return [];
  const web = new Web(nodes);
  const known = web.knownTo(winner);
  const surpassed = new Set<FieldNode>();
  const candidates: { readonly loser: FieldNode; readonly knewWinner: boolean }[] = [];
  for (const node of others) {
    // What somebody knows who is known himself, the other one knows as well.
    if (known.has(node) || surpassed.has(node)) continue;
    const reached = web.knownTo(node);
    for (const each of reached) surpassed.add(each);
    candidates.push({ loser: node, knewWinner: reached.has(winner) });
  }
  return candidates
    .filter(({ loser }) => !surpassed.has(loser))
    .map(({ loser, knewWinner }) => {
      const kind = agree(winner, loser) ? 'agreed' : knewWinner ? 'overruled' : 'concurrent';
      return { field, kind, winner: winner.order, loser: loser.order };
    });
}

/** Those of the writes of a field that count which the writer of one of them knew. */
export function knownTo(
  ops: RecordOps,
  field: string,
  tombstone: WriteOrder | undefined,
  of: OpId,
): WriteOrder[] {
  const nodes = nodesOf(ops, field, tombstone);
  const start = nodes.find(({ order }) => isSameOp(order, of));
  return start === undefined ? [] : [...new Web(nodes).knownTo(start)].map(({ order }) => order);
}

/** The greatest writes of the field that count, at most `nodesMax`, in descending order. */
export function nodesOf(
  ops: RecordOps,
  field: string,
  tombstone: WriteOrder | undefined,
  nodesMax = FIELD_WRITES_MAX,
): FieldNode[] {
  const nodes: FieldNode[] = [];
  for (const write of ops.registerWrites(field, undefined, tombstone)) {
    const { order } = write;
    if (nodes.length === nodesMax || !prevails(order, tombstone)) break;
    const node = nodeOf(write, field);
    if (node !== undefined && !isUndone(ops, order)) nodes.push(node);
  }
  const base = baseOf(ops).fields.get(field);
  if (base === undefined || !prevails(base.order, tombstone)) return nodes;
  const seen = base.seen?.map((id) => textOfOpId(id));
  const value = comparedValue(base.value);
  nodes.push({ order: base.order, name: textOfOpId(base.order), seen, value });
  return nodes.toSorted((a, b) => compareOrders(b.order, a.order)).slice(0, nodesMax);
}

/** The op as a write of the field; undefined where it does not write it. */
export function nodeOf(
  { order, kind, body }: Pick<RecordWrite, 'order' | 'kind' | 'body'>,
  field: string,
): FieldNode | undefined {
  const written = readRegisterWrites(kind, body);
  const value = written?.fields.get(field);
  if (written === undefined || value === undefined) return undefined;
  const seen = written.seen.get(field)?.map((id) => textOfOpId(id));
  return { order, name: textOfOpId(order), seen, value: comparedValue(value) };
}

function comparedValue(value: Uint8Array): string | undefined {
  return value.length > COMPARED_BYTES_MAX ? undefined : hexOf(value);
}

function agree(one: FieldNode, other: FieldNode): boolean {
  return one.value !== undefined && one.value === other.value;
}

/**
 * Who knew whom. The writer of a node knew those it told of and its own earlier ones, and what their writers knew. Who
 * told nothing may have seen all that was earlier, and is taken to have.
 */
class Web {
  readonly #nodeByName: ReadonlyMap<string, FieldNode>;
  /** The earliest first. */
  readonly #inTime: readonly FieldNode[];
  readonly #placeOf = new Map<FieldNode, number>();
  /** The one before it of the same origin. */
  readonly #ownBefore = new Map<FieldNode, FieldNode>();

  constructor(nodes: readonly FieldNode[]) {
    this.#nodeByName = new Map(nodes.map((node) => [node.name, node]));
    this.#inTime = nodes.toSorted((a, b) => compareTimes(a.order, b.order));
    const lastByOrigin = new Map<Origin, FieldNode>();
    for (const [place, node] of this.#inTime.entries()) {
      const { origin } = node.order;
      const before = lastByOrigin.get(origin);
      if (before !== undefined) this.#ownBefore.set(node, before);
      lastByOrigin.set(origin, node);
      this.#placeOf.set(node, place);
    }
  }

  /** All that the writer of `start` knew; `start` itself only where another one of them claims to have known it. */
  knownTo(start: FieldNode): Set<FieldNode> {
    const known = new Set<FieldNode>();
    const open: FieldNode[] = [];
    /** All places before this one are known. */
    let knownBefore = 0;
    const meet = (node: FieldNode | undefined): void => {
      if (node === undefined || known.has(node)) return;
      known.add(node);
      if (node !== start) open.push(node);
    };
    for (let node: FieldNode | undefined = start; node !== undefined; node = open.pop()) {
      meet(this.#ownBefore.get(node));
      for (const name of node.seen ?? []) {
        if (name !== node.name) meet(this.#nodeByName.get(name));
      }
      if (node.seen !== undefined) continue;
      const place = this.#placeOf.get(node) ?? 0;
      for (; knownBefore < place; knownBefore++) meet(this.#inTime[knownBefore]);
    }
    return known;
  }
}

/**
 * Which writes of a record were made without knowledge of each other (MERGE.md §7). A write may name, per field, the
 * writes that its writer had before its eyes; following those names from the prevailing write reaches all that was
 * known when it was made. A write that is not reached lost: somebody's work that nobody has looked at. A pure function
 * of the set of ops, like the state itself.
 */
import { LOG } from '../model/class.ts';
import { ADD, REMOVE, type StampedOp, UNDO } from '../model/op.ts';
import { textOfOpId } from './op-id.ts';
import { compareOrders, compareTimes, prevails, type WriteOrder, writeOrder } from './order.ts';
import { effectiveWrites, foldRecord, isSameOp, type RecordWrite } from './record.ts';
import { readRegisterWrites } from './register-writes.ts';

export interface Conflict {
  readonly field: string;
  /** `overruled`: the loser knew the winner, and had not the authority. `concurrent`: neither knew the other. */
  readonly kind: 'concurrent' | 'overruled';
  readonly winner: WriteOrder;
  readonly loser: WriteOrder;
}

/** Newest writes of a field that are looked at. */
const WRITES_MAX = 256;

interface FieldNode {
  readonly order: WriteOrder;
  readonly name: string;
  /** Names of what the writer had seen; undefined where it told nothing. */
  readonly seen: readonly string[] | undefined;
}

/**
 * True where folding the op can neither make nor end a conflict; asked before it is folded. `standingOf` gives the order
 * of what stands in a field of the op's record.
 */
export function isPlainWrite(
  stamped: StampedOp,
  hasOpenConflict: boolean,
  standingOf: (field: string) => WriteOrder | undefined,
): boolean {
  const { kind, body, class: opClass } = stamped.op;
  if (kind === ADD || opClass === LOG) return true;
  if (kind === UNDO || hasOpenConflict) return false;
  if (kind === REMOVE) return true;
  const order = writeOrder(stamped);
  const written = readRegisterWrites(kind, body);
  for (const field of written?.fields.keys() ?? []) {
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
  const { tombstone } = foldRecord(writes);
  const nodesByField = new Map<string, FieldNode[]>();
  for (const { order, kind, body } of effectiveWrites(writes)) {
    if (!prevails(order, tombstone)) continue;
    const written = readRegisterWrites(kind, body);
    for (const field of written?.fields.keys() ?? []) {
      const seen = written?.seen.get(field)?.map((id) => textOfOpId(id));
      const node = { order, name: textOfOpId(order), seen };
      const nodes = nodesByField.get(field);
      if (nodes === undefined) nodesByField.set(field, [node]);
      else nodes.push(node);
    }
  }
  return [...nodesByField].flatMap(([field, nodes]) => conflictsIn(field, nodes));
}

function conflictsIn(field: string, all: readonly FieldNode[]): Conflict[] {
  const nodes = all.toSorted((a, b) => compareOrders(b.order, a.order)).slice(0, WRITES_MAX);
  const [winner, ...others] = nodes;
  if (winner === undefined) return [];
  const known = reachedFrom(winner, nodes);
  const strangers = others.filter((node) => !known.has(node.name));
  const reached = new Map(strangers.map((node) => [node.name, reachedFrom(node, nodes)]));
  const isKnownTo = (node: FieldNode, by: FieldNode): boolean =>
    by !== node && reached.get(by.name)?.has(node.name) === true;
  return strangers
    .filter((node) => !strangers.some((other) => isKnownTo(node, other)))
    .map(({ order, name }) => {
      const kind = reached.get(name)?.has(winner.name) === true ? 'overruled' : 'concurrent';
      return { field, kind, winner: winner.order, loser: order };
    });
}

/**
 * Names of the writes that the writer of `start` knew: those it told of and its own earlier ones, and so on. Who told
 * nothing may have seen all that was earlier, and is taken to have.
 */
function reachedFrom(start: FieldNode, nodes: readonly FieldNode[]): Set<string> {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const reached = new Set<string>([start.name]);
  const open = [start];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const { order, seen } = node;
    const own = nodes.filter(
      (other) =>
        (seen === undefined || other.order.origin === order.origin) &&
        compareTimes(other.order, order) < 0,
    );
    for (const name of [...(seen ?? []), ...own.map((other) => other.name)]) {
      if (reached.has(name)) continue;
      reached.add(name);
      const next = byName.get(name);
      if (next !== undefined) open.push(next);
    }
  }
  return reached;
}

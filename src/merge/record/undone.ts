/**
 * Who is undone (MERGE.md §3). `undoneOps` is the definition over all ops of a record. The others give the same answer from
 * the few ops that have a part in it: whoever names the op, whoever names those, and so on. In a record with ten thousand
 * ops that is mostly nobody.
 */
import { UNDO } from '../../model/op.ts';
import { isSameOp, type OpId, textOfOpId } from '../op-id.ts';
import { compareTimes, type WriteOrder } from '../order.ts';
import { readUndo } from '../patch.ts';
import type { RecordWrite } from '../record.ts';
import type { RecordOps } from './record-ops.ts';

/** An op that the coming of an undo has taken away, or brought back. */
export interface Flip {
  readonly write: RecordWrite;
  readonly isUndone: boolean;
}

/**
 * Names of the ops that are undone. An undo reaches what is earlier than itself and bears no higher authority; from
 * the latest to the earliest, each is known to count or not before what it names is met.
 */
export function undoneOps(writes: Iterable<RecordWrite>): Set<string> {
  const undone = new Set<string>();
  const byName = new Map<string, RecordWrite>();
  const undos: RecordWrite[] = [];
  for (const write of writes) {
    byName.set(textOfOpId(write.order), write);
    if (write.kind === UNDO) undos.push(write);
  }
  for (const undo of undos.toSorted((a, b) => compareTimes(b.order, a.order))) {
    if (undone.has(textOfOpId(undo.order))) continue;
    for (const id of readUndo(undo.body) ?? []) {
      const target = byName.get(textOfOpId(id));
      if (target !== undefined && mayUndo(undo.order, target.order)) undone.add(textOfOpId(id));
    }
  }
  return undone;
}

/** Whether an undo of order `undo` reaches an op of order `target`. */
export function mayUndo(undo: WriteOrder, target: WriteOrder): boolean {
  return undo.authority >= target.authority && compareTimes(undo, target) > 0;
}

/** Whether the op, which is kept, is undone. */
export function isUndone(ops: RecordOps, op: OpId): boolean {
  if (ops.undosOf(op).length === 0) return false;
  const write = ops.writeOf(op);
  return write !== undefined && new Verdicts(ops).isUndone(write);
}

/** What has changed now that `undo` is kept, which was not before. */
export function flipsOf(ops: RecordOps, undo: RecordWrite): Flip[] {
  const reached: RecordWrite[] = [];
  const met = new Set<string>();
  const open = [...(readUndo(undo.body) ?? [])];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const name = textOfOpId(id);
    const write = met.has(name) ? undefined : ops.writeOf(id);
    met.add(name);
    if (write === undefined) continue;
    reached.push(write);
    if (write.kind === UNDO) open.push(...(readUndo(write.body) ?? []));
  }
  const [before, after] = [new Verdicts(ops, undo.order), new Verdicts(ops)];
  return reached.flatMap((write) => {
    const isNow = after.isUndone(write);
    return isNow === before.isUndone(write) ? [] : [{ write, isUndone: isNow }];
  });
}

interface Question {
  readonly write: RecordWrite;
  readonly undos: readonly OpId[];
  /** Undos before it do not count. */
  at: number;
}

/**
 * Who of a record's ops is undone, asked for a few of them: by the first undo that counts, however many name it. An undo is later than
 * what it reaches, so no question leads back to itself.
 */
class Verdicts {
  readonly #ops: RecordOps;
  /** An undo that is left out. */
  readonly #without: OpId | undefined;
  readonly #byName = new Map<string, boolean>();
  readonly #undos = new Map<string, RecordWrite | undefined>();

  constructor(ops: RecordOps, without?: OpId) {
    this.#ops = ops;
    this.#without = without;
  }

  isUndone(write: RecordWrite): boolean {
    // Undos of undos may be thousands in a row: more than calls may lie in one another.
    const open = [this.#ask(write)];
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const next = this.#step(last);
      if (next === undefined) open.pop();
      else open.push(this.#ask(next));
    }
    return this.#byName.get(textOfOpId(write.order)) === true;
  }

  /** Answers the question, or gives the undo on which the answer hangs. */
  #step(question: Question): RecordWrite | undefined {
    const { write, undos } = question;
    for (; question.at < undos.length; question.at++) {
      const undo = this.#undo(undos[question.at] as OpId);
      if (undo === undefined || !mayUndo(undo.order, write.order)) continue;
      const verdict = this.#byName.get(textOfOpId(undo.order));
      if (verdict === undefined) return undo;
      if (!verdict) break;
    }
    this.#byName.set(textOfOpId(write.order), question.at < undos.length);
    return undefined;
  }

  #ask(write: RecordWrite): Question {
    return { write, undos: this.#ops.undosOf(write.order), at: 0 };
  }

  #undo(id: OpId): RecordWrite | undefined {
    if (this.#without !== undefined && isSameOp(id, this.#without)) return undefined;
    const name = textOfOpId(id);
    if (!this.#undos.has(name)) this.#undos.set(name, this.#ops.writeOf(id));
    return this.#undos.get(name);
  }
}

/**
 * Which undos name an op, in memory: every op that comes is asked about, so the question costs two lookups by numbers and origin,
 * and no name is put together for it.
 */
import { isSameOp, type OpId, opIdOf } from '../../../merge/op-id.ts';
import { readUndo } from '../../../merge/patch.ts';
import type { Origin } from '../../../model/origin.ts';

/** Classes are below it. */
const CLASSES = 8;
const NONE: readonly OpId[] = [];

export class UndoIndex {
  readonly #byOrigin = new Map<Origin, Map<number, readonly OpId[]>>();

  /** The undos that name the op. */
  of(op: OpId): readonly OpId[] {
    return this.#byOrigin.get(op.origin)?.get(placeOf(op)) ?? NONE;
  }

  /** Takes note of an undo with this body. */
  add(op: OpId, body: Uint8Array): void {
    const undo = opIdOf(op);
    for (const target of readUndo(body) ?? []) {
      let places = this.#byOrigin.get(target.origin);
      if (places === undefined) {
        places = new Map();
        this.#byOrigin.set(target.origin, places);
      }
      places.set(placeOf(target), [...(places.get(placeOf(target)) ?? NONE), undo]);
    }
  }

  /** The undo is kept no more. */
  drop(undo: OpId, body: Uint8Array): void {
    for (const target of readUndo(body) ?? []) {
      const places = this.#byOrigin.get(target.origin);
      const left = this.of(target).filter((each) => !isSameOp(each, undo));
      if (left.length > 0) places?.set(placeOf(target), left);
      else places?.delete(placeOf(target));
      if (places?.size === 0) this.#byOrigin.delete(target.origin);
    }
  }

  clear(): void {
    this.#byOrigin.clear();
  }
}

function placeOf({ class: opClass, seq }: OpId): number {
  return seq * CLASSES + opClass;
}

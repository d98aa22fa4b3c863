/** A limit of the door before a real store: ops of one device are handed in as the door does it, and folded later. */
import type { Rejection } from '../../../src/ingest/door/rejection.ts';
import type { Op, StampedOp } from '../../../src/model/op.ts';
import type { Store } from '../../../src/store/store.ts';
import { tempDir } from '../machine/temp-dir.ts';
import { DEVICE_A, stampedOp } from '../made/ops.ts';
import { entriesOf, openStore } from './stores.ts';

interface Asked {
  ask<T>(question: (state: Store) => T): T;
  readonly appliedLsn: number;
}

interface Room {
  refusal(op: Op): Rejection | undefined;
  note(op: Op, lsn: number): void;
}

export class RoomDesk {
  readonly store = openStore(tempDir());
  /** Of the op that was taken last. */
  seq = 0;
  readonly #room: Room;
  #waiting: StampedOp[] = [];

  constructor(roomOf: (store: Asked) => Room) {
    const { store } = this;
    this.#room = roomOf({
      ask: (question) => question(store),
      get appliedLsn() {
        return store.appliedLsn;
      },
    });
  }

  hand(told: Pick<Op, 'kind' | 'key' | 'body'>): Rejection | undefined {
    const { seq } = this;
    const stamped = stampedOp({ origin: DEVICE_A, class: 2, seq: seq + 1, atMs: seq, ...told });
    const refusal = this.#room.refusal(stamped.op);
    if (refusal !== undefined) return refusal;
    this.seq += 1;
    this.#room.note(stamped.op, this.seq);
    this.#waiting.push(stamped);
    return undefined;
  }

  foldWaiting(): void {
    const ops = this.#waiting.splice(0);
    this.store.apply(entriesOf(ops, this.seq - ops.length + 1), this.seq);
  }
}

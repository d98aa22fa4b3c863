/** A record has room for so many fields and bytes, whatever a device sends; what makes a full one no larger is taken. */
import assert from 'node:assert/strict';

import { afterEach, beforeEach, describe, it, vi } from 'vitest';

import { RecordRoom } from '../../../../src/hub/limits/record-room.ts';
import type { Rejection } from '../../../../src/ingest/door/rejection.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../../src/merge/patch.ts';
import { RECORD_BYTES_MAX, RECORD_FIELDS_MAX } from '../../../../src/merge/record/record-size.ts';
import { ADD, type Kind, PATCH, REMOVE, UNDO } from '../../../../src/model/op.ts';
import { DEVICE_A } from '../../../support/made/ops.ts';
import { RoomDesk } from '../../../support/memory/room-desk.ts';

const KEY = 'orders/1';
const FIELDS_OF_OP = 64;
const NOTHING = new Uint8Array(0);

let desk: RoomDesk;

beforeEach(() => {
  desk = new RoomDesk((store) => new RecordRoom(store));
});

afterEach(() => desk.store.close());

/** Hands in an op as the door does; it is folded later. */
function hand(kind: Kind, body: Uint8Array, key = KEY): Rejection | undefined {
  return desk.hand({ kind, key, body });
}

function take(kind: Kind, body: Uint8Array): Rejection | undefined {
  const refusal = hand(kind, body);
  desk.foldWaiting();
  return refusal;
}

function fieldsFrom(first: number, count = FIELDS_OF_OP): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${first + i}`, 1]));
}

function fillFields(from = 0): void {
  for (let at = 0; at < RECORD_FIELDS_MAX; at += FIELDS_OF_OP) {
    assert.equal(hand(PATCH, encodePatch(fieldsFrom(from + at))), undefined);
  }
  desk.foldWaiting();
}

const undoOf = (...seqs: number[]): Uint8Array =>
  encodeUndo(seqs.map((each) => ({ origin: DEVICE_A, class: 2, seq: each })));

describe('a record that has all the fields it may have', () => {
  it('takes no other field or counter, with a word on what it takes', () => {
    fillFields();
    const refusal = take(PATCH, encodePatch({ other: 1 }));
    assert.equal(refusal?.verdict, 'never');
    assert.match(refusal?.reason ?? '', /record is full.*no larger is taken/);
    assert.equal(take(ADD, encodeAdd({ f1: 1 }))?.verdict, 'never');
    assert.equal(desk.store.records.get(KEY).fields.size, RECORD_FIELDS_MAX);
  });

  it('goes on in the fields that it has, and after a remove in others', () => {
    fillFields();
    assert.equal(take(PATCH, encodePatch(fieldsFrom(0))), undefined);
    assert.equal(take(REMOVE, NOTHING), undefined);
    assert.equal(take(PATCH, encodePatch({ other: 1 })), undefined);
  });

  it('is not refilled by the undo of removes', () => {
    fillFields();
    assert.equal(take(REMOVE, NOTHING), undefined);
    const removedBy = desk.seq;
    fillFields(RECORD_FIELDS_MAX);
    assert.equal(take(UNDO, undoOf(removedBy))?.verdict, 'never');
    // Of another op it is an undo like any.
    assert.equal(take(UNDO, undoOf(desk.seq)), undefined);
  });
});

describe('undos that a device hands in at once', () => {
  it('are judged by one look through the record', () => {
    fillFields();
    assert.equal(take(REMOVE, NOTHING), undefined);
    const removedBy = desk.seq;
    fillFields(RECORD_FIELDS_MAX);
    const { records } = desk.store;
    const look = vi.spyOn(records, 'everWritten');
    for (let count = 0; count < 3; count++) {
      assert.equal(hand(UNDO, undoOf(removedBy))?.verdict, 'never');
    }
    assert.equal(look.mock.calls.length, 1);
    assert.equal(take(PATCH, encodePatch(fieldsFrom(RECORD_FIELDS_MAX))), undefined);
    assert.equal(hand(UNDO, undoOf(removedBy))?.verdict, 'never');
    assert.equal(look.mock.calls.length, 2, 'the state has gone on');
  });
});

describe('a record of a megabyte', () => {
  const half = 'x'.repeat(RECORD_BYTES_MAX / 2 - 100);

  it('takes what makes it no longer', () => {
    assert.equal(take(PATCH, encodePatch({ a: half })), undefined);
    assert.equal(take(PATCH, encodePatch({ b: half })), undefined);
    assert.equal(take(PATCH, encodePatch({ c: half }))?.verdict, 'never');
    assert.equal(take(PATCH, encodePatch({ a: half.replace('x', 'y') })), undefined);
    assert.equal(take(PATCH, encodePatch({ a: null })), undefined);
    assert.equal(take(PATCH, encodePatch({ c: half })), undefined);
  });

  it('takes back what a remove took, if it has never been larger', () => {
    assert.equal(take(PATCH, encodePatch({ a: half })), undefined);
    assert.equal(take(REMOVE, NOTHING), undefined);
    assert.equal(take(UNDO, undoOf(desk.seq)), undefined);
    assert.equal(desk.store.records.get(KEY).fields.size, 1);
  });
});

describe('ops on their way to the store', () => {
  it('count: a device cannot fill a record before they are folded', () => {
    let taken = 0;
    while (hand(PATCH, encodePatch(fieldsFrom(taken))) === undefined) taken += FIELDS_OF_OP;
    assert.equal(taken, RECORD_FIELDS_MAX);
    assert.equal(hand(PATCH, encodePatch({ other: 1 }))?.verdict, 'later');
    desk.foldWaiting();
    assert.equal(hand(PATCH, encodePatch({ other: 1 }))?.verdict, 'never');
  });

  it('of one counter are no more than one counter', () => {
    for (let i = 0; i < 2 * RECORD_FIELDS_MAX; i++) {
      assert.equal(hand(ADD, encodeAdd({ bags: 1 })), undefined);
    }
  });

  it('may be a remove that is taken back: that is asked again once they are folded', () => {
    fillFields();
    assert.equal(hand(REMOVE, NOTHING), undefined);
    const removedBy = desk.seq;
    assert.equal(hand(PATCH, encodePatch({ other: 1 }))?.verdict, 'later');
    desk.foldWaiting();
    assert.equal(hand(PATCH, encodePatch({ other: 1 })), undefined);
    assert.equal(hand(UNDO, undoOf(removedBy))?.verdict, 'later');
    desk.foldWaiting();
    assert.equal(hand(UNDO, undoOf(removedBy))?.verdict, 'never');
  });

  it('in other records count for those', () => {
    fillFields();
    assert.equal(hand(PATCH, encodePatch({ other: 1 }), 'orders/2'), undefined);
  });
});

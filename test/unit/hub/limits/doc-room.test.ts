/** A document that is full can be made shorter, and goes on then: no note of a team is dead for good. */
import assert from 'node:assert/strict';

import { afterEach, beforeEach, describe, it } from 'vitest';
import * as Y from 'yjs';

import { DocRoom } from '../../../../src/hub/limits/doc-room.ts';
import type { Rejection } from '../../../../src/ingest/door/rejection.ts';
import {
  DOC_BYTES_MAX,
  DOC_ROOM_TO_DELETE_BYTES,
} from '../../../../src/merge/doc/full-document.ts';
import { DOC, PATCH } from '../../../../src/model/op.ts';
import { RoomDesk } from '../../../support/memory/room-desk.ts';

const KEY = 'notes/1';
const PIECE = 'x'.repeat(100_000);

let room: DocRoom;
let desk: RoomDesk;

beforeEach(() => {
  desk = new RoomDesk((store) => (room = new DocRoom(store)));
});

afterEach(() => desk.store.close());

/** Hands in an update as the door does; it is folded later. */
function hand(body: Uint8Array, key = KEY): Rejection | undefined {
  return desk.hand({ kind: DOC, key, body });
}

/** Takes a step in the document, hands it in and folds it. */
function step(doc: Y.Doc, change: (text: Y.Text) => void): Rejection | undefined {
  const known = Y.encodeStateVector(doc);
  doc.transact(() => change(doc.getText('notes')));
  const refusal = hand(Y.encodeStateAsUpdate(doc, known));
  desk.foldWaiting();
  return refusal;
}

function bytes(): number {
  return desk.store.records.doc(KEY)?.state.length ?? 0;
}

/** A document that takes no more. */
function filled(): Y.Doc {
  const doc = new Y.Doc();
  while (bytes() + PIECE.length + 1_000 < DOC_BYTES_MAX) {
    assert.equal(
      step(doc, (text) => text.insert(text.length, PIECE)),
      undefined,
    );
  }
  return doc;
}

/** What the hub has, as somebody who comes anew sees it. */
function fresh(): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, desk.store.records.doc(KEY)?.state as Uint8Array);
  return doc;
}

describe('a full document', () => {
  it('takes no more, with a word on what to do', () => {
    const refusal = step(filled(), (text) => text.insert(0, PIECE));
    assert.equal(refusal?.verdict, 'never');
    assert.match(refusal?.reason ?? '', /is full.*makes it shorter is taken/);
    assert.ok(bytes() <= DOC_BYTES_MAX);
  });

  it('takes what makes it shorter, and goes on', () => {
    filled();
    const doc = fresh();
    assert.equal(
      step(doc, (text) => {
        text.delete(0, 500_000);
        text.insert(0, 'what counts: ');
      }),
      undefined,
    );
    assert.ok(bytes() < DOC_BYTES_MAX - 400_000, `${bytes()}`);
    assert.equal(
      step(doc, (text) => text.insert(0, PIECE)),
      undefined,
    );
  });

  it('can be shortened letter by letter, anywhere, though each costs more than it frees', () => {
    filled();
    const doc = fresh();
    const text = doc.getText('notes');
    // Up to the brim.
    const left = DOC_BYTES_MAX - bytes() - 40;
    assert.equal(
      step(doc, () => text.insert(0, 'y'.repeat(left))),
      undefined,
    );
    const before = bytes();
    for (let i = 0; i < 20; i++) {
      assert.equal(
        step(doc, () => text.delete(1 + i * 50, 1)),
        undefined,
      );
    }
    assert.ok(bytes() > before && bytes() > DOC_BYTES_MAX);
    assert.equal(step(doc, () => text.insert(0, 'more'))?.verdict, 'never');
    assert.equal(fresh().getText('notes').length, text.length - 4);
  });

  it('has an end for that, too, up to which all can be deleted at once', () => {
    filled();
    const doc = fresh();
    const text = doc.getText('notes');
    /** A gap behind every letter. */
    const riddle = (): Rejection | undefined =>
      step(doc, () => {
        for (let i = 0; i < 2_000; i++) text.delete(at + i, 1);
        at += 2_000;
      });
    let at = 0;
    let refusal: Rejection | undefined;
    while (refusal === undefined) refusal = riddle();
    assert.equal(refusal.verdict, 'never');
    assert.ok(bytes() > DOC_BYTES_MAX && bytes() <= DOC_BYTES_MAX + DOC_ROOM_TO_DELETE_BYTES);
    assert.equal(
      step(doc, () => text.delete(0, text.length)),
      undefined,
    );
    assert.ok(bytes() < DOC_BYTES_MAX / 2);
  });

  it('is not filled by what is on its way to the store: that is asked again', () => {
    filled();
    const doc = fresh();
    const update = (change: (text: Y.Text) => void): Uint8Array => {
      const known = Y.encodeStateVector(doc);
      doc.transact(() => change(doc.getText('notes')));
      return Y.encodeStateAsUpdate(doc, known);
    };
    const cut = update((text) => text.delete(0, 900_000));
    const anew = update((text) => text.insert(0, PIECE));
    assert.equal(hand(cut), undefined);
    assert.equal(hand(anew)?.verdict, 'later');
    desk.foldWaiting();
    assert.equal(hand(anew), undefined);
  });

  it('holds nobody up who writes elsewhere, or something else', () => {
    filled();
    const doc = new Y.Doc();
    doc.getText('notes').insert(0, PIECE);
    const update = Y.encodeStateAsUpdate(doc);
    assert.equal(hand(update)?.verdict, 'never');
    assert.equal(hand(update, 'notes/2'), undefined);
    const patch = { kind: PATCH, key: KEY, body: new Uint8Array(1_000) } as const;
    assert.equal(room.refusal(patch), undefined);
  });
});

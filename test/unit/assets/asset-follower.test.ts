import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { AssetFollower } from '../../../src/assets/asset-follower.ts';
import type { BlobStore } from '../../../src/assets/blob-store.ts';
import { HubError } from '../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { CborWriter } from '../../../src/codec/writer.ts';
import { encodePiece } from '../../../src/model/asset-bytes.ts';
import { encodeOpEntry } from '../../../src/model/entry.ts';
import { ASSET } from '../../../src/model/op.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { bytesIn, contentOf, openBlobStore, piecesOf } from '../../support/made/assets.ts';
import { openDoor, opsIn, publish } from '../../support/memory/doors.ts';
import { DEVICE_A, stampedOp } from '../../support/made/ops.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const PHOTO = contentOf(900_000);
const PIECES = piecesOf(PHOTO).map((piece, index) =>
  stampedOp({ kind: ASSET, class: 5, key: 'photo', seq: index + 1, body: encodePiece(piece) }),
);

/** A journal of entries, the first `durable` of which are durable. */
class EntryJournal {
  readonly entries: Uint8Array[] = [];
  durableLsn = 0;
  #listener: (lsn: number) => void = () => undefined;

  get firstLsn(): number {
    return 1;
  }

  get lastLsn(): number {
    return this.entries.length;
  }

  add(entry: Uint8Array): number {
    return this.entries.push(entry);
  }

  makeDurable(): void {
    this.durableLsn = this.entries.length;
    this.#listener(this.durableLsn);
  }

  onDurable(listener: (lsn: number) => void): void {
    this.#listener = listener;
  }

  cursor(fromLsn: number): { next(): { lsn: number; entry: Uint8Array } | undefined } {
    let lsn = fromLsn - 1;
    return {
      next: () => {
        if (lsn >= this.durableLsn) return undefined;
        lsn += 1;
        return { lsn, entry: this.entries[lsn - 1] as Uint8Array };
      },
    };
  }
}

const entryOf = ({ bytes, stamp }: (typeof PIECES)[number]): Uint8Array =>
  encodeOpEntry(bytes, stamp);
const other = (seq: number): Uint8Array => entryOf(stampedOp({ seq }));

function start(journal: EntryJournal, blobs: BlobStore, dir: string): AssetFollower {
  return AssetFollower.start({
    journal,
    blobs,
    files: machineFiles,
    dir,
    timers: machineTimers,
    log: SILENT_LOG,
  });
}

describe('the follower', () => {
  it('waits for nothing that is damaged at the end, while more is on its way', async () => {
    const journal = new EntryJournal();
    for (const piece of PIECES.slice(0, 2)) journal.add(entryOf(piece));
    journal.makeDurable();
    journal.add(other(9)); // Not durable yet.
    const dir = tempDir();
    const whole = journal.cursor.bind(journal);
    // The last durable entry cannot be read: cursors give nothing out from it on.
    journal.cursor = (fromLsn) => (fromLsn > 1 ? { next: () => undefined } : whole(fromLsn));
    const blobs = openBlobStore(machineFiles, dir);
    const follower = start(journal, blobs, dir);
    await follower.caughtUp();
    await follower.close();
  });

  it('folds what it is told of when that is durable, and says how far it has come', async () => {
    const dir = tempDir();
    const blobs = openBlobStore(machineFiles, dir);
    const journal = new EntryJournal();
    const follower = start(journal, blobs, dir);
    for (const piece of PIECES) {
      journal.add(other(journal.lastLsn + 1));
      follower.note(journal.add(entryOf(piece)));
    }
    await follower.caughtUp();
    assert.equal(blobs.stateOf(PHOTO.id).state, 'missing');
    journal.makeDurable();
    await follower.caughtUp();
    assert.deepEqual(await bytesIn(blobs, PHOTO.id), PHOTO.bytes);
    journal.add(other(100));
    journal.makeDurable();
    assert.equal(await follower.settle(), journal.lastLsn);
    await follower.close();
    blobs.close();
  });

  it('finds what lay in the journal before the start, from its cursor on', async () => {
    const dir = tempDir();
    const journal = new EntryJournal();
    for (const piece of PIECES.slice(0, 2)) journal.add(entryOf(piece));
    journal.makeDurable();
    const first = openBlobStore(machineFiles, dir);
    const before = start(journal, first, dir);
    await before.caughtUp();
    await before.close();
    first.close();
    // What came while nobody followed.
    for (const piece of PIECES.slice(2)) journal.add(entryOf(piece));
    journal.makeDurable();
    const second = openBlobStore(machineFiles, dir);
    const after = start(journal, second, dir);
    await after.caughtUp();
    assert.deepEqual(await bytesIn(second, PHOTO.id), PHOTO.bytes);
    await after.close();
    second.close();
  });

  it('stops at a disk that fails, holds the journal back, and says so', async () => {
    const dir = tempDir();
    const journal = new EntryJournal();
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const blobs = {
      put: () => {
        throw full;
      },
      putPreview: () => undefined,
      settle: () => Promise.resolve(),
    };
    const follower = start(journal, blobs as unknown as BlobStore, dir);
    journal.add(other(1));
    for (const piece of PIECES) follower.note(journal.add(entryOf(piece)));
    journal.makeDurable();
    await follower.caughtUp();
    assert.equal(follower.fault?.code, 'assets.failed');
    assert.ok((await follower.settle()) < 2);
    await follower.close();
  });

  it.each([
    ['the bytes', 1],
    ['the map of them', 2],
  ])(
    'believes nothing of what a failed sync of %s has taken, and folds it anew',
    async (_, nth) => {
      const clock = new SimClock(0);
      const files = new SimFiles({ random: new SeededRandom(1) });
      const journal = new EntryJournal();
      const open = (): BlobStore => openBlobStore(files, 'assets');
      const follow = (blobs: BlobStore): AssetFollower =>
        AssetFollower.start({
          journal,
          blobs,
          files,
          dir: 'assets',
          timers: clock,
          log: SILENT_LOG,
        });
      const blobs = open();
      const follower = follow(blobs);
      for (const piece of PIECES.slice(0, 2)) follower.note(journal.add(entryOf(piece)));
      journal.makeDurable();
      await follower.caughtUp();
      for (const piece of PIECES.slice(2)) follower.note(journal.add(entryOf(piece)));
      files.faults.failSyncs = new Set([files.syncs + nth]);
      journal.makeDurable();
      await follower.caughtUp();
      assert.equal(follower.fault?.code, 'assets.failed');
      assert.equal(await follower.settle(), 2, 'the journal is kept');
      await clock.advance(60_000);
      await follower.caughtUp();
      assert.equal(follower.fault, undefined);
      assert.equal(await follower.settle(), journal.lastLsn);
      files.powerCut();
      assert.deepEqual(await bytesIn(open(), PHOTO.id), PHOTO.bytes);
    },
  );
});

describe('the door', () => {
  it('asks whether there is room for the bytes of a device, and tells where they lie', () => {
    const notes: number[] = [];
    let fault: HubError | undefined;
    const { door, journal } = openDoor({
      assets: {
        refusal: () => fault,
        peerRefusal: () => fault,
        note: (lsn) => void notes.push(lsn),
      },
    });
    door.admit(publish());
    const message = (index: number): Uint8Array =>
      new CborWriter()
        .array(1)
        .raw((PIECES[index] as (typeof PIECES)[0]).bytes)
        .finish();
    const from = { role: 'device', device: 'cam' } as const;
    assert.deepEqual(door.acceptOps(message(0), from).rejected, []);
    fault = new HubError('assets.full', 'no room');
    const { rejected, accepted } = door.acceptOps(message(1), from);
    assert.deepEqual(
      rejected.map(({ reason }) => reason),
      ['no room'],
    );
    assert.deepEqual(accepted, [{ origin: DEVICE_A, class: 5, seq: 1 }]);
    assert.equal(opsIn(journal).length, 2);
    assert.deepEqual(notes, [2]);
  });
});

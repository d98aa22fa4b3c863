import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';

import jpeg from 'jpeg-js';
import { describe, it } from 'vitest';

import { type MadePreview, run } from '../../../src/assets/previews/make-preview.ts';
import { orientationOf, upright } from '../../../src/assets/previews/orientation.ts';
import { pictureFacts } from '../../../src/assets/previews/picture-facts.ts';
import { PreviewMaker } from '../../../src/assets/previews/preview-maker.ts';
import { shrink, sizeWithin } from '../../../src/assets/previews/scale.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { turn } from '../../../src/base/clock.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { contentOf, openBlobStore, piecesOf, putAll } from '../../support/made/assets.ts';
import { exifOf, jpegOf, pngOf, withExif } from '../../support/made/pictures.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const ORDER = { widthMax: 320, heightMax: 480, pixelsMax: 4_000_000 };

function made(preview: MadePreview): Extract<MadePreview, { kind: 'made' }> {
  if (preview.kind === 'never') assert.fail(preview.reason);
  return preview;
}

/** Red, green and blue of a place, each to the nearest of four steps. */
function colourAt(data: Uint8Array, x: number, y: number): number[] {
  const { width, data: rgba } = jpeg.decode(data, { useTArray: true });
  const at = (y * width + x) * 4;
  return [...rgba.subarray(at, at + 3)].map((value) => Math.round(value / 85));
}

describe('a preview', () => {
  it('of a JPEG is small and shows the same', async () => {
    const bytes = jpegOf(640, 480);
    const { width, height, data } = made(await run({ ...ORDER, bytes }));
    assert.deepEqual([width, height], [320, 240]);
    assert.ok(data.length < 30_000);
    // Left half red, right half blue.
    assert.deepEqual(
      [colourAt(data, 40, 120), colourAt(data, 280, 120)],
      [
        [3, 0, 0],
        [0, 0, 3],
      ],
    );
  });

  it('of a photograph is made of the means of its blocks, even where that leaves it somewhat smaller', async () => {
    const bytes = withExif(jpegOf(2000, 1504), exifOf(3));
    const { width, height, data } = made(await run({ ...ORDER, bytes }));
    assert.deepEqual([width, height], [250, 188]);
    assert.deepEqual(
      [colourAt(data, 40, 120), colourAt(data, 210, 120)],
      [
        [0, 0, 3],
        [3, 0, 0],
      ],
    );
  });

  it('of a picture that was taken on its side is upright', async () => {
    const bytes = withExif(jpegOf(600, 400), exifOf(6));
    const { width, height, data } = made(await run({ ...ORDER, bytes }));
    assert.deepEqual([width, height], [320, 480]);
    // What was left is on top now.
    assert.deepEqual(
      [colourAt(data, 160, 40), colourAt(data, 160, 440)],
      [
        [3, 0, 0],
        [0, 0, 3],
      ],
    );
  });

  it('of a PNG is a JPEG, what is transparent is white, and small pictures stay as small', async () => {
    const { width, height, data } = made(await run({ ...ORDER, bytes: pngOf(64, 32) }));
    assert.deepEqual([width, height], [64, 32]);
    assert.deepEqual(
      [colourAt(data, 8, 16), colourAt(data, 56, 16)],
      [
        [3, 0, 0],
        [3, 3, 3],
      ],
    );
  });

  it('is not made of what claims to be enormous, is broken, or is no picture', async () => {
    const bomb = pngOf(64, 32);
    new DataView(bomb.buffer).setUint32(16, 60_000);
    new DataView(bomb.buffer).setUint32(20, 60_000);
    const reasonOf = async (bytes: Uint8Array): Promise<string> => {
      const outcome = await run({ ...ORDER, bytes });
      return outcome.kind === 'never' ? outcome.reason : 'made';
    };
    assert.match(await reasonOf(bomb), /too many/);
    assert.match(await reasonOf(pngOf(64, 32).subarray(0, 60)), /cannot be read/);
    assert.match(await reasonOf(new TextEncoder().encode('<svg/>')), /only JPEG and PNG/);
    const lie = pngOf(64, 32, deflateSync(new Uint8Array(50 << 20)));
    assert.match(await reasonOf(lie), /made|cannot be read/);
  });
});

describe('heads of pictures', () => {
  it('tell the size', () => {
    assert.deepEqual(pictureFacts(jpegOf(30, 20)), { format: 'jpeg', width: 30, height: 20 });
    assert.deepEqual(pictureFacts(pngOf(30, 20)), { format: 'png', width: 30, height: 20 });
    for (const length of [0, 1, 2, 10, 23]) {
      assert.equal(pictureFacts(pngOf(30, 20).subarray(0, length)), undefined);
      assert.equal(pictureFacts(jpegOf(30, 20).subarray(0, length)), undefined);
    }
  });

  it('tell how the camera was held, and nonsense is upright', () => {
    for (const value of [1, 2, 3, 4, 5, 6, 7, 8] as const) {
      assert.equal(orientationOf(exifOf(value).subarray(10)), value);
    }
    assert.equal(orientationOf(undefined), 1);
    assert.equal(orientationOf(new Uint8Array(20).fill(0xff)), 1);
  });
});

describe('scaling', () => {
  it('keeps proportions and means', () => {
    assert.deepEqual(sizeWithin(4000, 3000, 320, 480), { width: 320, height: 240 });
    assert.deepEqual(sizeWithin(3000, 9000, 320, 480), { width: 160, height: 480 });
    assert.deepEqual(sizeWithin(9000, 1, 320, 480), { width: 320, height: 1 });
    const data = Uint8Array.from([0, 0, 0, 255, 200, 0, 0, 255, 100, 0, 0, 255, 100, 0, 0, 255]);
    assert.deepEqual([...shrink({ width: 2, height: 2, data }, 1, 1).data], [100, 0, 0, 255]);
  });

  it('turns every way', () => {
    const picture = { width: 2, height: 1, data: Uint8Array.from([1, 1, 1, 1, 2, 2, 2, 2]) };
    const turnedBy = (orientation: 2 | 3 | 6 | 8): number[] => {
      const { width, height, data } = upright(picture, orientation);
      return [width, height, data[0] as number, data[4] as number];
    };
    assert.deepEqual(turnedBy(2), [2, 1, 2, 1]);
    assert.deepEqual(turnedBy(3), [2, 1, 2, 1]);
    assert.deepEqual(turnedBy(6), [1, 2, 1, 2]);
    assert.deepEqual(turnedBy(8), [1, 2, 2, 1]);
  });
});

describe('the maker', () => {
  it('waits for the battery, makes one at a time, and remembers what cannot have one', async () => {
    const blobs = openBlobStore(machineFiles, tempDir());
    const contents = [contentOf(1000, 1), contentOf(1000, 2), contentOf(1000, 3)];
    for (const content of contents) putAll(blobs, piecesOf(content));
    await blobs.settle();
    const [first, second, third] = contents.map(({ id }) => id);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    let mayMake = false;
    let atOnce = 0;
    const maker = new PreviewMaker({
      blobs,
      pixelsMax: 1,
      log: SILENT_LOG,
      mayMake: () => mayMake,
      make: async () => {
        assert.equal((atOnce += 1), 1);
        await turn(machineTimers);
        atOnce -= 1;
        return blobs.previews.count === 0
          ? { kind: 'made', width: 3, height: 2, data: Uint8Array.of(1) }
          : { kind: 'never', reason: 'broken' };
      },
      keep: async (_id, preview) => blobs.putPreview(preview),
    });
    maker.want(first);
    await turn(machineTimers);
    assert.equal(blobs.previews.count, 0);
    mayMake = true;
    maker.look();
    await Promise.all([maker.made(second), maker.made(third), maker.made(first)]);
    assert.deepEqual(blobs.previews.facts(first), { type: 'image/jpeg', width: 3, height: 2 });
    assert.deepEqual([maker.neverReason(second), maker.neverReason(third)], ['broken', 'broken']);
    await maker.close();
    blobs.close();
  });
});

/** Zeros lie ahead of small blocks, and never over a block. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { BLOCKS_START } from '../../../../src/journal/format.ts';
import { SegmentGrowth } from '../../../../src/journal/segments/growth.ts';
import type { Segment } from '../../../../src/journal/segments/segment.ts';
import type { OpenFile } from '../../../../src/platform/files/files.ts';

const SIZE_BYTES = 4 << 20;
const LARGE_BYTES = 16 << 10;

class Rig {
  readonly segment = { path: 'segment', sizeBytes: SIZE_BYTES } as Segment;
  /** Where the next block goes, and where zeros end. */
  offset = BLOCKS_START;
  filledBytes = BLOCKS_START;
  isFull = false;
  readonly reasons: unknown[] = [];
  readonly growth = new SegmentGrowth({
    log: { ...SILENT_LOG, warn: (_, fields) => void this.reasons.push(fields?.['reason']) },
    segment: this.segment,
    file: { fillZeros: (from: number, bytes: number) => this.#fill(from, bytes) } as OpenFile,
    filledBytes: this.filledBytes,
    onWritten: () => undefined,
  });

  block(bytes: number, segment = this.segment): void {
    this.offset += bytes;
    this.growth.advance(segment, this.offset);
  }

  #fill(from: number, bytes: number): void {
    if (this.isFull) throw systemError('ENOSPC', 'write segment');
    assert.ok(from >= this.offset, 'no zeros over blocks');
    assert.ok(from + bytes <= SIZE_BYTES, 'nor behind the end');
    this.filledBytes = from + bytes;
  }
}

test('a small block finds zeros where it goes, to the end of the file and not far ahead', () => {
  const it = new Rig();
  it.block(100);
  while (it.offset + 10_000 <= SIZE_BYTES) {
    assert.ok(it.filledBytes >= Math.min(it.offset + LARGE_BYTES, SIZE_BYTES), `${it.offset}`);
    assert.ok(it.filledBytes <= it.offset + (512 << 10), `${it.offset}`);
    it.block(10_000);
  }
});

test('large blocks go into the hole, and what is filled behind them begins behind them', () => {
  const it = new Rig();
  while (it.offset < 1 << 20) it.block(LARGE_BYTES);
  assert.equal(it.filledBytes, BLOCKS_START);
  it.block(100);
  assert.equal(it.filledBytes, it.offset + (256 << 10));
});

test('blocks of another file are none of its business', () => {
  const it = new Rig();
  it.block(100, { sizeBytes: SIZE_BYTES } as Segment);
  assert.equal(it.filledBytes, BLOCKS_START);
});

test('where there is no room for zeros, the hole stays', () => {
  const it = new Rig();
  it.isFull = true;
  it.block(100);
  assert.match(String(it.reasons), /ENOSPC/);
});

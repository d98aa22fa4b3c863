/** Law: however a stream of packets is cut into pieces, and wherever its taker pauses, the same frames come out. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { Framer, type FrameTaker, type FrameVerdict } from '../../../src/broker/wire/framer.ts';
import { packet } from '../../support/made/mqtt-packets.ts';

interface Frame {
  readonly first: number;
  readonly body: Buffer;
}

const frame = fc
  .tuple(
    fc.integer({ min: 0, max: 255 }),
    fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 120, maxLength: 300 })),
  )
  .map(([first, bytes]): Frame => ({ first, body: Buffer.from(bytes) }));
const frames = fc.array(frame, { maxLength: 12 });
/** Sizes of pieces, used in turn. */
const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 });

class Recorder implements FrameTaker {
  readonly taken: Frame[] = [];
  readonly #verdicts: FrameVerdict[];

  constructor(verdicts: readonly FrameVerdict[]) {
    this.#verdicts = [...verdicts];
  }

  onFrame(first: number, buffer: Buffer, start: number, end: number): FrameVerdict {
    const verdict = this.#verdicts.shift() ?? 'next';
    if (verdict !== 'again') {
      this.taken.push({ first, body: Buffer.from(buffer.subarray(start, end)) });
    }
    return verdict;
  }
}

function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    // Each piece in memory of its own, which is spoilt after the call, as a socket's may be.
    cut.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return cut;
}

test('any cutting of a stream gives the same frames', () => {
  fc.assert(
    fc.property(frames, cuts, (sent, sizes) => {
      const taker = new Recorder([]);
      const framer = new Framer(taker, 1000);
      const stream = Buffer.concat(sent.map(({ first, body }) => packet(first, body)));
      for (const piece of pieces(stream, sizes)) {
        assert.equal(framer.feed(piece), undefined);
        piece.fill(0xee);
      }
      assert.deepEqual(taker.taken, sent);
      assert.equal(framer.isEmpty, true);
    }),
  );
});

test('pauses and repeats at any frame change nothing, as long as somebody resumes', () => {
  const verdict = fc.constantFrom<FrameVerdict>('next', 'next', 'pause', 'again');
  fc.assert(
    fc.property(frames, cuts, fc.array(verdict, { maxLength: 20 }), (sent, sizes, verdicts) => {
      const taker = new Recorder(verdicts);
      const framer = new Framer(taker, 1000);
      const stream = Buffer.concat(sent.map(({ first, body }) => packet(first, body)));
      for (const [index, piece] of pieces(stream, sizes).entries()) {
        assert.equal(framer.feed(piece), undefined);
        piece.fill(0xee);
        if (index % 3 === 0) framer.resume();
      }
      for (let i = 0; i <= verdicts.length; i++) framer.resume();
      assert.deepEqual(taker.taken, sent);
    }),
  );
});

test('a stream that was stopped gives nothing more, wherever it was cut', () => {
  fc.assert(
    fc.property(frames, cuts, fc.nat({ max: 11 }), (sent, sizes, stopAt) => {
      const verdicts = Array.from({ length: stopAt }, (): FrameVerdict => 'next');
      const taker = new Recorder([...verdicts, 'stop']);
      const framer = new Framer(taker, 1000);
      const stream = Buffer.concat(sent.map(({ first, body }) => packet(first, body)));
      for (const piece of pieces(stream, sizes)) framer.feed(piece);
      assert.deepEqual(taker.taken, sent.slice(0, stopAt + 1));
    }),
  );
});

test('garbage never throws, and never gives a frame beyond the limit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), cuts, (garbage, sizes) => {
      const taker = new Recorder([]);
      const framer = new Framer(taker, 100);
      for (const piece of pieces(Buffer.from(garbage), sizes)) framer.feed(piece);
      assert.ok(taker.taken.every(({ body }) => body.length <= 100));
    }),
  );
});

import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { CHUNK_DATA_BYTES_MAX } from '../../../../src/batch/limits.ts';
import { ALARM, BULK, LOG, type OpClass, TELEMETRY } from '../../../../src/model/class.ts';
import {
  BYTES_MOVING_MAX,
  FLIGHTS_MAX,
  type FlightSpec,
  IDLE,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  type SessionView,
  step,
} from '../../../../src/uplink/session/session.ts';

function batch(n: number, opClass: OpClass = TELEMETRY, total = 2): FlightSpec {
  const id = String(n).padStart(32, '0') as BatchId;
  return { id, class: opClass, total, chunkBytes: CHUNK_DATA_BYTES_MAX };
}

const NOTHING: SessionView = {
  allowed: [],
  riding: [],
  sealable: [],
  ripe: [],
  spooled: [],
  isWayThere: true,
};
const ALL: readonly OpClass[] = [0, 1, 2, 3, 4, 5, 6];

class Machine {
  state: SessionState = IDLE;
  view: SessionView = NOTHING;

  on(event: SessionEvent, view: Partial<SessionView> = {}): readonly SessionEffect[] {
    this.view = { ...this.view, ...view };
    const { state, effects } = step(this.state, event, this.view);
    this.state = state;
    return effects;
  }

  /** Up to the moment at which chunks may go. */
  greet(view: Partial<SessionView>): readonly SessionEffect[] {
    this.on({ type: 'look' }, view);
    this.on({ type: 'connected' });
    return this.on({ type: 'greeted' });
  }
}

function types(effects: readonly SessionEffect[]): string[] {
  return effects.map((effect) => effect.type);
}

function chunks(effects: readonly SessionEffect[]): string[] {
  return effects
    .filter((effect) => effect.type === 'send')
    .map(({ batch: id, chunk }) => `${Number(id)}/${chunk}`);
}

test('a session that only asks says so; one that brings something goes by the decision', () => {
  const asks: Partial<SessionView> = {
    allowed: ALL,
    riding: ALL,
    isCheckDue: true,
    sealable: [LOG],
  };
  const [alone] = new Machine().on({ type: 'look' }, asks);
  assert.equal(alone?.type === 'connect' && alone.why?.startsWith('asks the region'), true);
  assert.deepEqual(new Machine().on({ type: 'look' }, { ...asks, sealable: [ALARM, LOG] }), [
    { type: 'connect' },
  ]);
});

test('a session from the first look to its end', () => {
  const it = new Machine();
  assert.deepEqual(types(it.on({ type: 'look' }, { allowed: ALL, riding: ALL })), []);
  assert.deepEqual(types(it.on({ type: 'look' }, { sealable: [TELEMETRY] })), ['connect']);
  assert.deepEqual(types(it.on({ type: 'connected' })), ['hello', 'await-reply']);
  assert.deepEqual(it.on({ type: 'greeted' })[0], { type: 'seal', class: TELEMETRY });
  const sealed = it.on(
    { type: 'sealed', class: TELEMETRY, isEmpty: false },
    { sealable: [], spooled: [batch(1)] },
  );
  assert.deepEqual(chunks(sealed), ['1/0', '1/1']);
  it.on({ type: 'chunk-acked', batch: batch(1).id, chunk: 0 });
  it.on({ type: 'chunk-acked', batch: batch(1).id, chunk: 1 });
  assert.ok(types(it.on({ type: 'receipt' }, { spooled: [] })).includes('linger'));
  assert.deepEqual(types(it.on({ type: 'linger-time-over' })).at(-1), 'close');
  const ended = it.on({ type: 'link-gone', why: 'closed by us' }).at(-1);
  const why = 'all that may go is delivered';
  assert.deepEqual(ended, { type: 'ended', why, pause: 'none' });
  assert.equal(it.state.phase, 'idle');
});

test('chunks go by class, only so many at a time, and an alarm overtakes', () => {
  const it = new Machine();
  const bulk = batch(9, BULK, 20);
  assert.deepEqual(chunks(it.greet({ allowed: ALL, riding: ALL, spooled: [bulk] })), [
    '9/0',
    '9/1',
    '9/2',
    '9/3',
  ]);
  assert.deepEqual(chunks(it.on({ type: 'look' }, { spooled: [batch(1, ALARM), bulk] })), []);
  const next = (chunk: number): string[] =>
    chunks(it.on({ type: 'chunk-acked', batch: bulk.id, chunk }));
  assert.deepEqual([next(0), next(1), next(2)], [['1/0'], ['1/1'], ['9/4']]);
});

test('small chunks go in greater number, as many bytes as large ones', () => {
  const it = new Machine();
  const bulk = { ...batch(9, BULK, 4_000), chunkBytes: 1_024 };
  assert.equal(chunks(it.greet({ allowed: ALL, riding: ALL, spooled: [bulk] })).length, 256);
  const next = it.on({ type: 'chunk-acked', batch: bulk.id, chunk: 0 });
  assert.deepEqual(chunks(next), ['9/256']);
});

test('a batch that is cut in other chunks begins anew', () => {
  const it = new Machine();
  const bulk = batch(9, BULK, 3);
  assert.equal(chunks(it.greet({ allowed: ALL, riding: ALL, spooled: [bulk] })).length, 3);
  const anew = { ...bulk, total: 2 };
  assert.deepEqual(chunks(it.on({ type: 'look' }, { spooled: [anew] })), ['9/0', '9/1']);
});

test('what the region has is not sent, what it lacks is sent again', () => {
  const it = new Machine();
  it.on({ type: 'look' }, { allowed: ALL, riding: ALL, spooled: [batch(1, TELEMETRY, 6)] });
  it.on({ type: 'connected' });
  it.on({ type: 'lacks', batch: batch(1).id, chunks: [2, 5, 77] });
  assert.deepEqual(chunks(it.on({ type: 'greeted' })), ['1/2', '1/5']);
  it.on({ type: 'chunk-acked', batch: batch(1).id, chunk: 2 });
  assert.deepEqual(chunks(it.on({ type: 'lacks', batch: batch(1).id, chunks: [2, 5] })), ['1/2']);
});

test('a decision that takes a class back stops its chunks; none left ends the session', () => {
  const it = new Machine();
  const spooled = [batch(1, ALARM), batch(9, BULK, 20)];
  it.greet({ allowed: ALL, riding: ALL, spooled });
  it.on({ type: 'look' }, { allowed: [ALARM], riding: [ALARM] });
  assert.deepEqual(chunks(it.on({ type: 'chunk-acked', batch: batch(9).id, chunk: 0 })), []);
  const effects = it.on({ type: 'look' }, { allowed: [], riding: [] });
  assert.equal(effects.at(-1)?.type, 'close');
  assert.equal(it.state.phase, 'closing');
});

test('class log opens nothing, rides once, and holds nothing open', () => {
  const it = new Machine();
  const only: Partial<SessionView> = { allowed: ALL, riding: ALL, sealable: [LOG] };
  assert.deepEqual(types(it.on({ type: 'look' }, only)), []);
  it.greet({ sealable: [ALARM, LOG] });
  it.on(
    { type: 'sealed', class: ALARM, isEmpty: false },
    { sealable: [LOG], spooled: [batch(1, ALARM)] },
  );
  assert.equal(it.state.sealing, LOG);
  const spooled = [batch(1, ALARM), batch(2, LOG)];
  it.on({ type: 'sealed', class: LOG, isEmpty: false }, { spooled });
  assert.equal(it.state.sealing, undefined, 'what the session itself logs waits for the next one');
  const effects = it.on({ type: 'receipt' }, { spooled: [batch(2, LOG)] });
  assert.ok(types(effects).includes('linger'));
});

test('a session that others keep open for long takes the log along again when that is due', () => {
  const it = new Machine();
  it.greet({ allowed: [ALARM], riding: ALL, sealable: [ALARM, LOG] });
  const spooled = [batch(1, ALARM)];
  it.on({ type: 'sealed', class: ALARM, isEmpty: false }, { sealable: [LOG], spooled });
  it.on({ type: 'sealed', class: LOG, isEmpty: false }, { spooled: [...spooled, batch(2, LOG)] });
  assert.equal(it.state.sealing, undefined);
  it.on({ type: 'look' }, { ripe: [LOG] });
  assert.equal(it.state.sealing, LOG);
});

test('a class that was sent out is sealed again only while it may open a session, and is ripe', () => {
  const it = new Machine();
  it.greet({ allowed: [ALARM], riding: ALL, sealable: [ALARM, TELEMETRY] });
  it.on(
    { type: 'sealed', class: ALARM, isEmpty: false },
    { spooled: [batch(1, ALARM)], sealable: [TELEMETRY] },
  );
  assert.equal(it.state.sealing, TELEMETRY);
  it.on({ type: 'sealed', class: TELEMETRY, isEmpty: false }, { sealable: [] });
  it.on({ type: 'look' }, { sealable: [TELEMETRY], ripe: [TELEMETRY] });
  assert.equal(it.state.sealing, undefined, 'a trickle may ride, not prolong');
  it.on({ type: 'look' }, { allowed: [ALARM, TELEMETRY], ripe: [] });
  assert.equal(it.state.sealing, undefined);
  it.on({ type: 'look' }, { ripe: [TELEMETRY] });
  assert.equal(it.state.sealing, TELEMETRY);
});

test('sealing runs ahead of receipts only so far, but an alarm always finds room', () => {
  const it = new Machine();
  const spooled = Array.from({ length: FLIGHTS_MAX }, (_, n) => batch(n + 10, BULK));
  it.greet({ allowed: ALL, riding: ALL, sealable: [BULK], spooled });
  assert.equal(it.state.sealing, undefined);
  it.on({ type: 'look' }, { sealable: [ALARM, BULK], ripe: [ALARM] });
  assert.equal(it.state.sealing, ALARM);
});

test('failures pause, longer each time; one that got somewhere begins afresh', () => {
  const it = new Machine();
  it.on({ type: 'look' }, { allowed: ALL, riding: ALL, spooled: [batch(1)] });
  const failed = it.on({ type: 'link-gone', why: 'no route' }).at(-1);
  assert.deepEqual(failed, { type: 'ended', why: 'no route', pause: 'longer' });
  assert.deepEqual(types(it.on({ type: 'look' })), [], 'not while it pauses');
  assert.deepEqual(types(it.on({ type: 'pause-over' })), ['connect']);
  it.on({ type: 'connected' });
  assert.equal(it.on({ type: 'reply-time-over' }).at(-1)?.type, 'close');
  const silent = it.on({ type: 'link-gone', why: 'closed by us' }).at(-1);
  assert.ok(silent?.type === 'ended' && silent.pause === 'longer');
  it.on({ type: 'pause-over' });
  it.on({ type: 'connected' });
  it.on({ type: 'greeted' });
  it.on({ type: 'chunk-acked', batch: batch(1).id, chunk: 0 });
  const cut = it.on({ type: 'link-gone', why: 'link cut' }).at(-1);
  assert.ok(cut?.type === 'ended' && cut.pause === 'fresh');
});

test('what the broker takes and the region does not answer came nowhere', () => {
  const it = new Machine();
  const endsUnanswered = (heard: readonly SessionEvent[]): string | undefined => {
    it.on({ type: 'pause-over' });
    it.on({ type: 'connected' });
    // Of an earlier session.
    it.on({ type: 'lacks', batch: batch(1).id, chunks: [0] });
    it.on({ type: 'greeted' });
    it.on({ type: 'chunk-acked', batch: batch(1).id, chunk: 0 });
    for (const event of heard) it.on(event);
    it.on({ type: 'reply-time-over' });
    const ended = it.on({ type: 'link-gone', why: 'closed by us' }).at(-1);
    return ended?.type === 'ended' ? ended.pause : undefined;
  };
  it.on({ type: 'look' }, { allowed: ALL, riding: ALL, spooled: [batch(1)] });
  assert.equal(endsUnanswered([]), 'longer');
  assert.equal(endsUnanswered([{ type: 'receipt' }]), 'fresh');
  assert.equal(endsUnanswered([{ type: 'lacks', batch: batch(1).id, chunks: [] }]), 'fresh');
  assert.equal(endsUnanswered([]), 'longer', 'each session by itself');
});

test('chunks that never arrive end the session', () => {
  const it = new Machine();
  it.greet({ allowed: ALL, riding: ALL, spooled: [batch(1, TELEMETRY, 1)] });
  for (let round = 0; round < 10 && it.state.phase === 'sending'; round++) {
    it.on({ type: 'chunk-acked', batch: batch(1).id, chunk: 0 });
    it.on({ type: 'lacks', batch: batch(1).id, chunks: [0] });
  }
  assert.equal(it.state.phase, 'closing');
});

test('without a way upstream nothing is tried, and a way that is lost ends the session', () => {
  const it = new Machine();
  const waits = { allowed: ALL, riding: ALL, spooled: [batch(1)] };
  assert.deepEqual(it.on({ type: 'look' }, { ...waits, isWayThere: false }), []);
  assert.deepEqual(it.on({ type: 'look' }, { isWayThere: true }), [{ type: 'connect' }]);
  it.on({ type: 'connected' });
  it.on({ type: 'greeted' });
  it.on({ type: 'way-lost' }, { isWayThere: false });
  assert.equal(it.state.phase, 'closing');
  it.on({ type: 'link-gone', why: 'closed by us' });
  assert.ok(it.state.isPausing);
});

const anyClasses = fc.subarray([...ALL]);
const anyView: fc.Arbitrary<SessionView> = fc.record({
  allowed: anyClasses,
  riding: anyClasses,
  sealable: anyClasses,
  ripe: anyClasses,
  spooled: fc.subarray([batch(1, ALARM), batch(2, TELEMETRY, 7), batch(3, BULK, 9), batch(4, LOG)]),
  isWayThere: fc.boolean(),
});
const anyBatch = fc.integer({ min: 1, max: 5 }).map((n) => batch(n).id);
const anyEvent: fc.Arbitrary<SessionEvent> = fc.oneof(
  ...(
    [
      'look',
      'connected',
      'greeted',
      'receipt',
      'reply-time-over',
      'linger-time-over',
      'pause-over',
      'way-lost',
    ] as const
  ).map((type) => fc.constant<SessionEvent>({ type })),
  fc.record({ type: fc.constant('chunk-acked' as const), batch: anyBatch, chunk: fc.nat(9) }),
  fc.record({
    type: fc.constant('lacks' as const),
    batch: anyBatch,
    chunks: fc.subarray([0, 1, 2, 3, 8]),
  }),
  fc.constant<SessionEvent>({ type: 'failed', why: 'x' }),
  fc.constant<SessionEvent>({ type: 'link-gone', why: 'x' }),
);

test('whatever happens in whatever order: the laws hold', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyEvent, anyView), { maxLength: 60 }), (story) => {
      const it = new Machine();
      for (const [event, view] of story) {
        const before = it.state;
        const effects = it.on(event, view);
        const isSending = it.state.phase === 'sending' || it.state.phase === 'closing';
        for (const effect of effects) {
          if (effect.type === 'connect') {
            const opens = view.allowed.some((each) => each !== LOG);
            const isDue = !before.isPausing || event.type === 'pause-over';
            assert.ok(opens && before.phase === 'idle' && isDue);
          }
          if (effect.type === 'send') {
            assert.ok(isSending, 'nothing goes out before the greeting');
            const spec = view.spooled.find((each) => each.id === effect.batch);
            assert.ok(spec && effect.chunk < spec.total);
            assert.ok(view.allowed.includes(spec.class) || view.riding.includes(spec.class));
          }
          if (effect.type === 'seal') {
            assert.ok(before.sealing === undefined && view.sealable.includes(effect.class));
            it.on({ type: 'sealed', class: effect.class, isEmpty: true }, view);
          }
        }
        const moving = it.state.flights.flatMap((flight) => flight.moving).length;
        assert.ok(moving * CHUNK_DATA_BYTES_MAX <= BYTES_MOVING_MAX);
      }
    }),
    { numRuns: 500 },
  );
});

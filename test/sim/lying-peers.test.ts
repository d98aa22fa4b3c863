/** Peers that lie, flood and forge: what a hub takes from them stays bounded, and those who are honest have no less of it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { beforeEach, describe, test } from 'vitest';

import { concatBytes } from '../../src/base/bytes.ts';
import { CborError } from '../../src/codec/reader.ts';
import { RECORD, TELEMETRY } from '../../src/model/class.ts';
import type { StampedOp } from '../../src/model/op.ts';
import { type Lane, laneOf, type Origin } from '../../src/model/origin.ts';
import {
  encodePeerMessage,
  PEER_PAGE_OPS_MAX,
  type PeerMessage,
  type PeerOp,
  readPeerMessage,
} from '../../src/sync/peers/peer-message.ts';
import { DEVICE_A, patchOp, stampedOp } from '../support/made/ops.ts';
import { PeerSite, type SimHub } from '../support/simulated/peer-site.ts';

const LIAR = 'ffffffffffffffff' as Origin;
const LANE = laneOf(DEVICE_A, RECORD);

/** Speaks the protocol of peers by hand. */
class Liar {
  readonly heard: PeerMessage[] = [];
  readonly #site: PeerSite;
  readonly #hub: SimHub;
  #page = 0;

  constructor(site: PeerSite, hub: SimHub) {
    this.#site = site;
    this.#hub = hub;
    hub.answers.set('liar', (bytes) => this.heard.push(readPeerMessage(bytes)));
  }

  open(vector: ReadonlyMap<Lane, number> = new Map()): void {
    this.#page = 0;
    this.say({ kind: 'open', hub: LIAR, site: 'sim', vector, holes: [], rosterEpoch: 0 });
  }

  say(message: PeerMessage): void {
    this.sayBytes(encodePeerMessage(message));
  }

  sayBytes(bytes: Uint8Array): void {
    this.#hub.book?.heard('liar', bytes);
  }

  /** Hands in a page, and waits until it is taken. */
  async page(ops: readonly PeerOp[]): Promise<void> {
    this.#page += 1;
    this.say({ kind: 'page', number: this.#page, ops, hasMore: false });
    for (let turn = 0; turn < 4; turn++) {
      this.#hub.sync();
      await this.#site.clock.advance(50);
    }
  }

  get lapse(): string | undefined {
    const last = this.heard.at(-1);
    return last?.kind === 'lapse' ? last.reason : undefined;
  }
}

let site: PeerSite;
let hub: SimHub;
let liar: Liar;

beforeEach(() => {
  site = new PeerSite(7, 2);
  hub = site.hub(0);
  liar = new Liar(site, hub);
  site.hub(1).dials(0);
});

const plain = (...ops: StampedOp[]): PeerOp[] => ops.map((stamped) => ({ stamped }));

/** Honest work between the two hubs of the site still arrives. */
async function honestWorkGoesOn(): Promise<void> {
  const before = site.hub(1).ops().length;
  hub.publish('m/honest', '1');
  site.hub(1).publish('m/honest', '2');
  for (let turn = 0; turn < 30; turn++) {
    for (const each of site.hubs) each.sync();
    await site.clock.advance(2_000);
  }
  assert.ok(site.hub(1).ops().length > before);
  assert.equal(site.hub(0).digest(), site.hub(1).digest());
}

describe('a peer', () => {
  test('that claims to have what it has not gets less, and nobody else does', async () => {
    for (let i = 0; i < 20; i++) hub.publish('m/1', `${i}`);
    hub.sync();
    liar.open(new Map([[laneOf(hub.id, TELEMETRY), Number.MAX_SAFE_INTEGER]]));
    await site.clock.advance(3_000);
    const ops = liar.heard.flatMap((message) => (message.kind === 'page' ? message.ops : []));
    assert.deepEqual(ops, []);
    await honestWorkGoesOn();
    assert.equal(site.hub(1).ops().length, hub.ops().length);
  });

  test('that makes up numbers far ahead in a lane of a device stops no op of it', async () => {
    liar.open();
    await liar.page([
      { stamped: patchOp({ a: 1 }, { seq: 1_000_000 }), previous: 0 },
      { stamped: patchOp({ a: 1 }, { seq: Number.MAX_SAFE_INTEGER }), previous: 0 },
    ]);
    const own = [1, 2, 3].map((seq) => patchOp({ a: seq }, { seq }).op);
    hub.accept(own, { role: 'device', device: 'tablet' });
    hub.sync();
    const seqs = hub.ops().map(({ op }) => op.seq);
    assert.deepEqual(seqs, [1_000_000, 1, 2, 3]);
    await honestWorkGoesOn();
  });

  test('that makes up numbers of this hub does not take them from it', async () => {
    liar.open();
    const forged = { origin: hub.id, class: TELEMETRY } as const;
    await liar.page([
      { stamped: stampedOp({ ...forged, seq: Number.MAX_SAFE_INTEGER }), previous: 0 },
      { stamped: stampedOp({ ...forged, seq: 2 ** 52 }), previous: 0 },
    ]);
    for (let i = 0; i < 3; i++) hub.publish('m/1', `${i}`);
    hub.sync();
    assert.deepEqual(
      hub.ops().map(({ op }) => op.seq),
      [1, 2, 3],
    );
    await honestWorkGoesOn();
  });

  test('that names more holes than are kept leaves no op of a device behind one', async () => {
    liar.open();
    for (let page = 0; page < 2; page++) {
      const ops = Array.from({ length: PEER_PAGE_OPS_MAX }, (_, index) => {
        const origin = `${page}${`${index}`.padStart(15, '0')}` as Origin;
        return { stamped: patchOp({ a: 1 }, { origin, seq: 10 }), previous: 0 };
      });
      await liar.page(ops);
    }
    assert.ok(hub.door.holes.hasMore);
    await liar.page([{ stamped: patchOp({ a: 9 }, { seq: 9 }), previous: 0 }]);
    hub.accept([patchOp({ a: 1 }, { seq: 1 }).op], { role: 'device', device: 'tablet' });
    hub.sync();
    const own = hub.ops().filter(({ op }) => op.origin === DEVICE_A);
    assert.deepEqual(
      own.map(({ op }) => op.seq),
      [1],
      'what was receipted is in the journal',
    );
    await honestWorkGoesOn();
  });

  test('that makes up origins for ever is sent away, and holds no memory', async () => {
    liar.open();
    for (let page = 0; page < 60 && liar.lapse === undefined; page++) {
      const ops = Array.from({ length: PEER_PAGE_OPS_MAX }, (_, index) => {
        const origin = `${`${page}`.padStart(8, '0')}${`${index}`.padStart(8, '0')}` as Origin;
        return { stamped: stampedOp({ origin, seq: 2, class: TELEMETRY }) };
      });
      await liar.page(ops);
    }
    assert.match(liar.lapse ?? '', /lanes/);
    assert.equal(hub.door.vector().size, 0);
    await honestWorkGoesOn();
  });

  test('that sends pages out of turn, or twice, is sent away; what it replays counts once', async () => {
    liar.open();
    const page = plain(...[1, 2, 3].map((seq) => patchOp({ a: seq }, { seq })));
    await liar.page(page);
    await liar.page(page);
    assert.equal(hub.ops().length, 3);
    liar.say({ kind: 'page', number: 9, ops: page, hasMore: true });
    assert.equal(liar.lapse, 'pages out of order');
    assert.equal(hub.door.vector().get(LANE), 3);
    await honestWorkGoesOn();
  });

  test('that hands in ops before it has said who it is, and of which site, is sent away', async () => {
    await liar.page(plain(patchOp({ a: 1 })));
    assert.match(liar.lapse ?? '', /has not said/);
    assert.equal(hub.ops().length, 0);
    await honestWorkGoesOn();
  });

  test('that says twice who it is, over a line of ours, is sent away', async () => {
    const sent: PeerMessage[] = [];
    let hears: ((bytes: Uint8Array) => void) | undefined;
    site.dial = (_from, _to, handlers) => {
      hears = (bytes) => handlers.onMessage(bytes);
      return Promise.resolve({
        send: (bytes) => void sent.push(readPeerMessage(bytes)),
        close: () => undefined,
      });
    };
    site.hub(0).dials(1);
    await site.clock.advance(3_000);
    const open: PeerMessage = {
      kind: 'open',
      hub: LIAR,
      site: 'sim',
      vector: new Map(),
      holes: [],
      rosterEpoch: 0,
    };
    for (let time = 0; time < 2; time++) hears?.(encodePeerMessage(open));
    const last = sent.at(-1);
    assert.match(last?.kind === 'lapse' ? last.reason : '', /twice/);
  });

  test('that answers questions nobody asked changes nothing', async () => {
    liar.open();
    liar.say({ kind: 'taken', number: 77 });
    const op = { origin: DEVICE_A, class: RECORD, seq: 1 } as const;
    const stamp = { op, authority: 4, hub: LIAR, hlc: { ms: 0, counter: 0 } } as const;
    liar.say({ kind: 'differ', number: 5, large: [0, 31, 4_000_000_000], stamps: [stamp] });
    liar.say({ kind: 'stamps', stamps: [stamp] });
    liar.say({ kind: 'ask', offset: 2 ** 50 });
    liar.say({ kind: 'part', offset: 0, bytes: new Uint8Array(100) });
    const digest = new Uint8Array(8);
    const range = { lane: LANE, from: 2 ** 52, to: 2 ** 52 + 1_000, digest };
    liar.say({ kind: 'compare', number: 1, ranges: [range] });
    await site.clock.advance(5_000);
    assert.equal(hub.ops().length, 0);
    await honestWorkGoesOn();
  });
});

describe('bytes', () => {
  const VALID: readonly PeerMessage[] = [
    {
      kind: 'open',
      hub: LIAR,
      site: 'sim',
      vector: new Map([[LANE, 7]]),
      holes: [{ lane: LANE, from: 1, to: 2 }],
      rosterEpoch: 0,
    },
    { kind: 'page', number: 1, ops: plain(patchOp({ a: 1 }), stampedOp({})), hasMore: true },
    { kind: 'compare', number: 1, ranges: [] },
    { kind: 'differ', number: 1, large: [3], stamps: [] },
  ];

  test('that are none, or bombs, end the exchange and nothing else', async () => {
    const bombs = [
      new Uint8Array(0),
      new Uint8Array(1_100_000),
      // Arrays of arrays, and heads that promise what does not follow.
      new Uint8Array(100_000).fill(0x81),
      Uint8Array.of(0x84, 0x01, 0x01, 0x9b, 0, 0, 0, 1, 0, 0, 0, 0),
      Uint8Array.of(0x87, 0x00, 0x01, 0x5b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      concatBytes([Uint8Array.of(0x84, 0x01, 0x01), new Uint8Array(900_000).fill(0x80)]),
    ];
    for (const bomb of bombs) {
      liar.sayBytes(bomb);
      assert.match(liar.lapse ?? '', /cannot read/);
    }
    await honestWorkGoesOn();
  });

  test('that are nearly right are read or refused, whatever is wrong with them', async () => {
    const mutations = fc.record({
      message: fc.constantFrom(...VALID),
      at: fc.nat(400),
      to: fc.nat(255),
      cut: fc.option(fc.nat(400)),
    });
    fc.assert(
      fc.property(fc.array(mutations, { minLength: 1, maxLength: 4 }), (steps) => {
        liar.open();
        for (const { message, at, to, cut } of steps) {
          const bytes = encodePeerMessage(message).slice();
          bytes[at % bytes.length] = to;
          const sent = cut === null ? bytes : bytes.subarray(0, cut);
          liar.sayBytes(sent);
          try {
            readPeerMessage(sent);
          } catch (error) {
            assert.ok(error instanceof CborError);
          }
        }
      }),
      { numRuns: 500 },
    );
    await honestWorkGoesOn();
  });
});

/** Hubs that have accepted the same ops of devices before they met: in the end all judge them alike. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { below, type Random } from '../../src/base/random.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../src/merge/patch.ts';
import type { OpId } from '../../src/merge/op-id.ts';
import { RECORD } from '../../src/model/class.ts';
import { ADD, EVENT, type Op, PATCH, REMOVE, type Role, UNDO } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { PeerSite } from '../support/simulated/peer-site.ts';
import { stampsIn, textOfStamp } from '../support/simulated/peer-stamps.ts';

const SEEDS = Array.from({ length: 8 }, (_, index) => index + 1);
const ROLES: readonly Role[] = ['device', 'technician', 'supervisor', 'operator'];
const DEVICES = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', 'cccccccccccccccc'] as Origin[];
const DAY_MS = 86_400_000;
const HUBS = 3;

/** The next op of a device, whose clock may be years ahead. */
function nextOp(random: Random, origin: Origin, seq: number, nowMs: number): Op {
  const aheadMs = below(random, 3) === 0 ? below(random, 1_000) * DAY_MS : 0;
  const key = `order/${below(random, 2)}`;
  const target: OpId = {
    origin: DEVICES[below(random, 3)] as Origin,
    class: RECORD,
    seq: 1 + below(random, 20),
  };
  const [kind, body] = [
    [PATCH, encodePatch({ [`f${below(random, 2)}`]: seq })],
    [PATCH, encodePatch({ [`f${below(random, 2)}`]: seq })],
    [ADD, encodeAdd({ n: seq })],
    [REMOVE, new Uint8Array(0)],
    [UNDO, encodeUndo([target])],
    [EVENT, utf8(`${seq}`)],
    [EVENT, utf8(`${seq}`)],
  ][below(random, 7)] as [Op['kind'], Uint8Array];
  const clock = { quality: 'rtc', bootId: 1, monotonicMs: seq } as const;
  const hlc = { ms: nowMs + aheadMs, counter: 0 };
  return { origin, class: RECORD, seq, hlc, clock, kind, key, body };
}

function siteOf(seed: number): PeerSite {
  const site = new PeerSite(seed, HUBS);
  for (const hub of site.hubs) {
    hub.kill();
    hub.skewMs = (below(site.random, 5) - 2) * DAY_MS;
    hub.start();
  }
  site.hub(1).dials(0);
  site.hub(2).dials(1);
  return site;
}

async function someTime(site: PeerSite, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    for (const hub of site.hubs) hub.sync();
    await site.clock.advance(1_000);
  }
}

describe('ops that several hubs accepted before they met', () => {
  test.each(SEEDS)('have one stamp and one outcome in the end, seed %i', async (seed) => {
    const site = siteOf(seed);
    const { random } = site;
    const made = DEVICES.map((): Op[] => []);
    for (let round = 0; round < 30; round++) {
      for (const [device, origin] of DEVICES.entries()) {
        const ops = made[device] as Op[];
        ops.push(nextOp(random, origin, ops.length + 1, site.clock.wallMs()));
        const hub = site.hub(below(random, HUBS));
        if (hub.isUp) hub.accept(ops, { role: ROLES[below(random, 4)] as Role, device: origin });
      }
      const [a, b] = [below(random, HUBS), below(random, HUBS)];
      if (a !== b) site.setCut(a, b, below(random, 3) > 0);
      await someTime(site, below(random, 4));
      const victim = site.hub(below(random, HUBS));
      if (below(random, 15) === 0 && victim.isUp) victim.kill();
      else if (!victim.isUp) victim.start();
    }
    for (const hub of site.hubs) if (!hub.isUp) hub.start();
    for (let a = 0; a < HUBS; a++) for (let b = 0; b < HUBS; b++) site.setCut(a, b, false);
    await someTime(site, 600);
    const [first = '', ...others] = site.hubs.map((hub) =>
      stampsIn(hub.state())
        .map((stamp) => textOfStamp(stamp))
        .join('\n'),
    );
    assert.ok(first.split('\n').length > 20);
    for (const other of others) assert.equal(other, first);
    assert.equal(new Set(site.hubs.map((hub) => hub.digest())).size, 1);
  });
});

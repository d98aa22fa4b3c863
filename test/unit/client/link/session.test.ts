/** A session's manners: what it sends, when, and what it does not send again at once. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import type { Timers } from '../../../../src/base/clock.ts';
import type { LinkHandlers } from '../../../../src/client/link/link.ts';
import { Outbox } from '../../../../src/client/outbox/outbox.ts';
import { Replica } from '../../../../src/client/view/replica.ts';
import { Session } from '../../../../src/client/link/session.ts';
import { encodePatch } from '../../../../src/merge/patch.ts';
import { PATCH } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { encodeDelta } from '../../../../src/protocol/delta-message.ts';
import { type PullMessage, readPull } from '../../../../src/protocol/pull-message.ts';
import { encodeReceipt } from '../../../../src/protocol/receipt-message.ts';
import { EVERYTHING } from '../../../../src/protocol/scope.ts';
import { MemoryStorage } from '../../../support/memory/memory-storage.ts';

const HUB_LACKS_MS = 60_000;

/** A device that hands in what it has and asks for nothing; of its sessions only the line is left to say. */
async function openTablet() {
  const clock = new SimClock(1_800_000_000_000);
  const parts = { storage: new MemoryStorage(), random: new SeededRandom(1), clock };
  const handlers = { onChange: () => undefined, comesBack: () => true };
  const outbox = await Outbox.open({ ...parts, ...handlers });
  return {
    ...parts,
    name: 'tablet',
    target: { url: 'sim://hub', clientId: 'tablet', username: 'lena', password: 'secret' },
    scope: undefined,
    outbox,
    replica: new Replica(),
    resume: undefined,
    timers: clock,
    onPage: () => undefined,
    onWelcome: () => false,
    onNotice: () => undefined,
    onContact: () => undefined,
  };
}

describe('a session', () => {
  it('that is closed by who hears of a refusal does not try again', async () => {
    const tablet = await openTablet();
    const { clock } = tablet;
    let tries = 0;
    const session: Session = new Session({
      ...tablet,
      openLink: (_target, handlers) => {
        tries += 1;
        clock.after(1, () => handlers.onDown('Connection refused: Not authorized'));
        return () => undefined;
      },
      onContact: () => {
        if (session.reason !== '' && session.contact === 'offline') session.close();
      },
    });
    session.wake();
    await clock.advance(120_000);
    assert.equal(tries, 1);
    assert.equal(session.contact, 'closed');
  });

  it('that comes back ends the pull of the line that was lost', async () => {
    const tablet = await openTablet();
    const { clock } = tablet;
    const said: PullMessage[] = [];
    const session = new Session({
      ...tablet,
      openLink: (_target, handlers) => {
        const publish = (topic: string, payload: Uint8Array): void => {
          if (!topic.endsWith('/pull')) return;
          const read = readPull(payload);
          if (read.kind !== 'refused') said.push(read.message);
        };
        clock.after(1, () => handlers.onUp({ publish, close: () => undefined }));
        if (said.length === 0) clock.after(1_000, () => handlers.onDown('cut'));
        return () => undefined;
      },
      scope: EVERYTHING,
    });
    session.wake();
    await clock.advance(30_000);
    const [first, end, second] = said;
    assert.deepEqual(
      said.map(({ kind }) => kind),
      ['open', 'close', 'open'],
    );
    assert.equal(end?.pull, first?.pull);
    assert.notEqual(second?.pull, first?.pull);
    session.close();
  });

  it('asks again within minutes, but not at once, where a hub says that it should wait for years', async () => {
    const tablet = await openTablet();
    const { clock } = tablet;
    const waits: number[] = [];
    const timers: Timers = {
      after: (delayMs, callback) => {
        waits.push(delayMs);
        return clock.after(delayMs, callback);
      },
      every: (periodMs, callback) => clock.every(periodMs, callback),
      soon: (callback) => clock.soon(callback),
    };
    let opened = 0;
    const session = new Session({
      ...tablet,
      timers,
      openLink: (_target, handlers) => {
        const publish = (topic: string, payload: Uint8Array): void => {
          const read = readPull(payload);
          if (!topic.endsWith('/pull') || read.kind === 'refused') return;
          if (read.message.kind !== 'open') return;
          opened += 1;
          const { pull } = read.message;
          const lapse = encodeDelta({
            kind: 'lapse',
            pull,
            reason: 'busy'.padEnd(9_000),
            waitS: 2 ** 40,
          });
          clock.after(1, () => handlers.onMessage('sync/tablet/delta', lapse));
        };
        clock.after(1, () => handlers.onUp({ publish, close: () => undefined }));
        return () => undefined;
      },
      scope: EVERYTHING,
    });
    session.wake();
    await clock.advance(3_600_000);
    assert.ok(opened > 5 && opened < 20, `${opened} pulls in an hour`);
    const { contact, reason } = session;
    assert.deepEqual([contact, reason.trim(), reason.length], ['catching up', 'busy', 500]);
    // Timers of Node and browsers run what lies further ahead at once.
    assert.ok(Math.max(...waits) < 2 ** 31, `a timer of ${Math.max(...waits)} ms`);
    session.close();
  });

  it('asks anew where it has waited long for what is still to come of a pull, and ends the old one', async () => {
    const tablet = await openTablet();
    const { clock } = tablet;
    const said: PullMessage[] = [];
    const session = new Session({
      ...tablet,
      openLink: (_target, handlers) => {
        const publish = (topic: string, payload: Uint8Array): void => {
          const read = readPull(payload);
          if (!topic.endsWith('/pull') || read.kind === 'refused') return;
          said.push(read.message);
          if (read.message.kind !== 'open') return;
          const { pull } = read.message;
          const isSecond = said.filter(({ kind }) => kind === 'open').length === 2;
          const stage = isSecond ? 'caught-up' : 'partial';
          const parts = {
            kind: 'page',
            pull,
            page: 1,
            stage,
            lanes: new Map(),
            items: [],
          } as const;
          clock.after(1, () => handlers.onMessage('sync/tablet/delta', encodeDelta(parts)));
        };
        clock.after(1, () => handlers.onUp({ publish, close: () => undefined }));
        return () => undefined;
      },
      scope: EVERYTHING,
    });
    session.wake();
    await clock.advance(7_200_000);
    assert.deepEqual(
      said.map(({ kind }) => kind),
      ['open', 'taken', 'close', 'open', 'taken'],
    );
    assert.equal(said[2]?.pull, said[0]?.pull);
    assert.equal(session.contact, 'live');
    session.close();
  });

  it('does not hammer a hub that lacks what another hub has receipted', async () => {
    const tablet = await openTablet();
    const { clock, outbox } = tablet;
    const patch = {
      class: 2,
      kind: PATCH,
      key: 'orders/1',
      body: encodePatch({ a: 1 }),
    } as const;
    for (let seq = 1; seq <= 3; seq++) outbox.add(patch);
    await outbox.whenWritten();
    const { origin } = outbox;
    const lane = { origin, class: 2 } as const;
    outbox.take({ accepted: [{ ...lane, seq: 2 }], rejected: [] }, 'tablet');
    let sent = 0;
    let hubHas = 1;
    const answer = (handlers: LinkHandlers): void => {
      sent += 1;
      const gap = { ...lane, seq: 3, reason: 'gap after 1', verdict: 'gap' } as const;
      const isNext = hubHas === 2;
      const accepted = [{ ...lane, seq: isNext ? 3 : hubHas }];
      const receipt = encodeReceipt({ accepted, rejected: isNext ? [] : [gap], conflicts: [] });
      clock.after(1, () => handlers.onMessage('sync/tablet/receipt', receipt));
    };
    const session = new Session({
      ...tablet,
      openLink: (_target, handlers) => {
        clock.after(1, () =>
          handlers.onUp({
            publish: (topic) => {
              if (topic.endsWith('/ops')) answer(handlers);
            },
            close: () => undefined,
          }),
        );
        return () => undefined;
      },
    });
    session.wake();
    await clock.advance(HUB_LACKS_MS);
    assert.ok(sent > 10 && sent < 60, `${sent} messages in a minute`);
    hubHas = 2;
    await clock.advance(5_000);
    assert.equal(outbox.pending, 0);
    session.close();
  });
});

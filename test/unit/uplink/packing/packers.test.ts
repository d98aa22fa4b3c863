import assert from 'node:assert/strict';

import { test } from 'vitest';

import { inlineCompressor } from '../../../../src/batch/compression.ts';
import { TELEMETRY } from '../../../../src/model/class.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { Outbox } from '../../../../src/uplink/outbox.ts';
import { ApartPacker } from '../../../../src/uplink/packing/apart.ts';
import type { Packer } from '../../../../src/uplink/packing/packer.ts';
import { HUB, SITE, stampedOps, START_MS } from '../../../support/made/batches.ts';
import { MemoryJournal } from '../../../support/memory/memory-journal.ts';
import { PackThreads } from '../../../support/simulated/pack-threads.ts';
import { KeptLog } from '../../../support/simulated/uplink-world.ts';

const OPS = 2_500;
const READER = { encoding: 'columns', compression: 'brotli', history: 'none' } as const;

class World {
  readonly threads = new PackThreads();
  readonly clock = new SimClock(START_MS + 60_000);
  readonly log = new KeptLog();
  readonly journal = new MemoryJournal();
  readonly outbox: Outbox;

  constructor(hasThreads = true) {
    const { clock, journal, log } = this;
    journal.append(...stampedOps(1, OPS));
    const packer: Packer | undefined = hasThreads
      ? new ApartPacker({ start: this.threads.start, timers: clock })
      : undefined;
    this.outbox = Outbox.open({
      journal,
      files: new SimFiles({ random: new SeededRandom(1) }),
      dir: 'uplink',
      site: SITE,
      signer: HUB,
      compressor: inlineCompressor,
      packer,
      clock,
      timers: clock,
      log,
      sealLimits: { opsMax: 1_000, opBytesMax: 1 << 20 },
      spoolBytesMax: 1 << 20,
    });
    while (this.outbox.unsealed.scan());
  }

  /** Lets time pass while a batch is built. */
  async seal(): ReturnType<Outbox['seal']> {
    const sealing = this.outbox.seal(TELEMETRY, READER);
    await this.clock.advance(1_000);
    return sealing;
  }
}

test('a thread gives the batches that the event loop gives; little that waits is not worth one', async () => {
  const [apart, alone] = [new World(), new World(false)];
  for (let batch = 0; batch < 3; batch++) {
    const sealed = await apart.seal();
    assert.equal(sealed?.id, (await alone.seal())?.id);
    assert.equal(sealed?.manifest.ops, batch < 2 ? 1_000 : 500);
    assert.equal(apart.threads.started, 1);
  }
});

test('a thread that nobody needs any more is ended; the next batch has a new one', async () => {
  const world = new World();
  const { threads, clock, outbox } = world;
  await world.seal();
  assert.equal(threads.ended, 0, 'the next batch may come at once');
  await clock.advance(60_000);
  assert.equal(threads.ended, 1);
  world.journal.append(...stampedOps(OPS + 1, 2 * OPS));
  while (outbox.unsealed.scan());
  await world.seal();
  assert.equal(threads.started, 2);
});

test.each(['start', 'begin', 'entries', 'finish'] as const)(
  'a thread that breaks at %s costs nothing: the batch is built in place, and so are the next ones',
  async (type) => {
    const world = new World();
    world.threads.breaksAt = type;
    const sealed = await world.seal();
    assert.equal(sealed?.id, (await new World(false).seal())?.id);
    assert.equal(world.log.count('uplink.packer.gone'), 1);
    assert.equal((await world.seal())?.manifest.ops, 1_000);
    assert.equal(world.threads.started, 1);
  },
);

test('closing while a thread builds leaves nothing behind but the journal', async () => {
  const world = new World();
  world.threads.hangsAt = 'finish';
  const sealing = world.outbox.seal(TELEMETRY, READER);
  await world.clock.advance(1_000);
  world.outbox.close();
  assert.equal(await sealing, undefined);
  assert.equal(world.threads.ended, 1);
  assert.deepEqual(world.outbox.sendable(), []);
  assert.equal(world.log.count('uplink.packer.gone'), 0);
});

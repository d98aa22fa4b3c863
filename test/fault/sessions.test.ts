/**
 * Sessions and power cuts. A subscriber that confirms, vanishes and comes back, a publisher, and a machine that
 * crashes after the n-th operation on its disk, for every n of the scenario; what was not synced survives by dice.
 *
 * Checked after each crash: what was acknowledged to the publisher has reached the subscriber, in order; QoS 2 once,
 * judged as a client does, by identifiers between PUBLISH and PUBREL; what was subscribed stays so.
 */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimCrash } from '../../src/platform/sim/files.ts';
import type { Probe } from '../support/simulated/broker-site.ts';
import { DurableSite } from '../support/simulated/durable-site.ts';
import {
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  subscribe,
} from '../support/made/mqtt-packets.ts';

/** A subscriber as the standard wants it, with the memory that its own battery keeps. */
class Subscriber {
  /** Payloads in the order they were taken. */
  readonly taken: string[] = [];
  readonly #open = new Set<number>();
  isSubscribed = false;

  /** Answers what was heard, until nothing more comes. */
  async answer(site: DurableSite, probe: Probe, heard: readonly string[]): Promise<void> {
    let words = heard;
    while (words.length > 0) {
      const answers = words.flatMap((line) => this.#answerTo(line));
      words = answers.length === 0 ? [] : await site.say(probe, ...answers);
    }
  }

  #answerTo(line: string): Uint8Array[] {
    if (line.startsWith('suback')) this.isSubscribed = true;
    const id = Number(/id(\d+)/.exec(line)?.[1] ?? line.split(' ')[1]);
    if (line.startsWith('pubrel')) {
      this.#open.delete(id);
      return [pubcomp(id)];
    }
    if (!line.startsWith('publish')) return [];
    const payload = line.split(' ')[2] as string;
    if (line.includes('qos1')) {
      this.taken.push(payload);
      return [puback(id)];
    }
    if (!this.#open.has(id)) this.taken.push(payload);
    this.#open.add(id);
    return [pubrec(id)];
  }
}

/** A publisher that repeats what was not acknowledged. */
class Publisher {
  readonly acknowledged: string[] = [];
  #next = 1;
  #state: 'new' | 'sent' | 'received' = 'new';

  /** One message, from where the last connection left it. */
  async go(site: DurableSite, probe: Probe): Promise<void> {
    const number = this.#next;
    const id = (number % 3) + 1;
    const qos = number % 2 === 0 ? 2 : 1;
    if (this.#state !== 'received') {
      const dup = this.#state === 'sent';
      this.#state = 'sent';
      const heard = await site.say(probe, publish('m', `${number}`, { qos, id, dup }));
      if (heard.includes(`puback ${id}`)) return this.#done();
      if (!heard.includes(`pubrec ${id}`)) return;
      this.#state = 'received';
      this.acknowledged.push(`${number}`);
    }
    const heard = await site.say(probe, pubrel(id));
    if (heard.includes(`pubcomp ${id}`)) this.#done();
  }

  #done(): void {
    if (this.#next % 2 === 1) this.acknowledged.push(`${this.#next}`);
    this.#next += 1;
    this.#state = 'new';
  }
}

const MESSAGES = 8;

/** Goes on with the scenario on a running site. */
async function live(
  site: DurableSite,
  subscriber: Subscriber,
  publisher: Publisher,
): Promise<void> {
  const [device, heard] = await site.greeted('device');
  await subscriber.answer(site, device, heard);
  if (!subscriber.isSubscribed) {
    await subscriber.answer(site, device, await site.say(device, subscribe(1, ['m', 2])));
  }
  const source = await site.client('source');
  for (let round = 0; round < MESSAGES / 2; round++) {
    await publisher.go(site, source);
    await subscriber.answer(site, device, device.heard());
  }
  await device.vanish();
  for (let round = 0; round < MESSAGES / 2; round++) await publisher.go(site, source);
  site.broker.sumUp().catch(() => undefined); // A crash in it is what this is about; it may never end, too.
  await site.turn(3_000);
  const [again, owed] = await site.greeted('device');
  await subscriber.answer(site, again, owed);
  await site.turn(3_000);
}

async function crashing(run: () => Promise<void>, site: DurableSite): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof SimCrash) && !site.files.crashed) throw error;
  }
}

async function scenario(seed: number, crashAfter: number | undefined): Promise<number> {
  const site = await DurableSite.open({ seed, segmentBytes: 16 * 1024 });
  const subscriber = new Subscriber();
  const publisher = new Publisher();
  site.files.faults.crashAfter = crashAfter;
  await crashing(() => live(site, subscriber, publisher), site);
  const { operations } = site.files;
  site.files.faults.crashAfter = undefined;
  await site.powerCut();
  await live(site, subscriber, publisher);
  check(subscriber, publisher, `seed ${seed}, crash after ${crashAfter ?? 'the end'}`);
  return operations;
}

function check({ taken }: Subscriber, { acknowledged }: Publisher, when: string): void {
  const firsts = taken.filter((payload, at) => taken.indexOf(payload) === at).map(Number);
  const ordered = firsts.toSorted((a, b) => a - b);
  assert.deepEqual(firsts, ordered, `${when}: in order`);
  const lost = acknowledged.filter((payload) => !taken.includes(payload));
  assert.deepEqual(lost, [], `${when}: acknowledged and not delivered`);
  for (const payload of acknowledged.filter((number) => Number(number) % 2 === 0)) {
    const times = taken.filter((other) => other === payload).length;
    assert.equal(times, 1, `${when}: QoS 2 message ${payload} came ${times} times`);
  }
}

test('a power cut after any operation: acknowledged messages arrive, in order, QoS 2 once', async () => {
  const operations = await scenario(1, undefined);
  assert.ok(operations > 50, `${operations} operations`);
  for (let after = 1; after <= operations; after++) await scenario(after, after);
}, 60_000);

/** What the node does for the way down of all its sites: hellos, receipts and wishes, each to the site that it is about. */
import type { Cancel, Timers } from '../../base/clock.ts';
import { parseDownReceipt } from '../../batch/wire/down-messages.ts';
import type { DownHello, Hello } from '../../batch/wire/messages.ts';
import type { UpstreamTopic } from '../../batch/wire/topics.ts';
import type { Verify } from '../../codec/cose.ts';
import type { Op } from '../../model/op.ts';
import type { RegionWrite } from './down-source.ts';
import type { Site } from '../site.ts';
import type { WorkQueue } from '../arriving/work-queue.ts';

interface DownDeskOptions {
  /** Undefined where no such site is known. */
  readonly siteOf: (name: string) => Promise<Site | undefined>;
  readonly queue: WorkQueue;
  readonly verify: Verify;
  readonly timers: Timers;
}

/** So long after a record of one hub the others are looked at. */
const PUSH_MS = 1_000;

/** What the greeting says of it. */
export type Heard = Pick<DownHello, 'waiting' | 'heals'>;

export class DownDesk {
  readonly #options: DownDeskOptions;
  readonly #pushes = new Map<Site, Cancel>();

  constructor(options: DownDeskOptions) {
    this.#options = options;
  }

  /** For the greeting: how much waits for the hub, and what of its losses is here. */
  async heard(site: Site, hello: Hello): Promise<Heard> {
    const { down } = site;
    if (hello.down === undefined) return {};
    await down.author.compare(hello.hub, hello.down.vector);
    return (await down.link.heard(hello.hub, hello)) ?? {};
  }

  /** Hubs that listen at this moment get what others have handed in; batches that come together are looked at once. */
  pushSoon(site: Site): void {
    if (this.#pushes.has(site)) return;
    const { timers, queue } = this.#options;
    const cancel = timers.after(PUSH_MS, () => {
      this.#pushes.delete(site);
      queue.add(() => site.down.link.push());
    });
    this.#pushes.set(site, cancel);
  }

  close(): void {
    for (const cancel of this.#pushes.values()) cancel();
  }

  /** Takes what a hub says of a batch; false where it is not that hub's word. */
  async receipt(
    { address, batch }: Extract<UpstreamTopic, { kind: 'down-receipt' }>,
    payload: Uint8Array,
  ): Promise<boolean> {
    const { siteOf, queue, verify } = this.#options;
    const site = await siteOf(address.site);
    const key = await site?.storage.keyOf(address.hub);
    const receipt = key && parseDownReceipt(payload, key, verify);
    if (receipt?.hub !== address.hub || receipt.batch !== batch) return false;
    queue.add(async () => site?.down.link.receipt(receipt));
    return true;
  }

  /**
   * Writes an op of the region itself into a site and sends it to the hubs that listen. Undefined where no such site is
   * known.
   */
  async write(siteName: string, wish: RegionWrite): Promise<Op | undefined> {
    const { siteOf, queue } = this.#options;
    const site = await siteOf(siteName);
    const op = await queue.ask(async () => site?.down.author.write(wish));
    queue.add(async () => site?.down.link.push());
    return op;
  }
}

/**
 * Before the battery ends: as soon as the power brain says `shutdown`, everything that is still on its way is brought to
 * the card while there is power to do it, and again when the site may be switched off. A start after the dark then
 * replays little. The hub goes on serving: who switches off, the battery's own guard or a person, is not its to know,
 * and a hub that had ended itself would not be there when the sun comes back without a power cut.
 */
import type { Cancel } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { isoTime, minuteText } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import type { PowerMonitor } from '../../power/monitor.ts';

interface DuskParts {
  readonly monitor: Pick<PowerMonitor, 'onDecision' | 'append' | 'save'>;
  /** In this order: journal, store, ledger, contents, sessions. */
  readonly settle: readonly (() => Promise<unknown>)[];
  readonly log: Log;
}

type Depth = 'day' | 'shutdown' | 'ready';

export class Dusk {
  readonly #parts: DuskParts;
  readonly #cancel: Cancel;
  #depth: Depth = 'day';
  #underway: Promise<void> = Promise.resolve();

  constructor(parts: DuskParts) {
    this.#parts = parts;
    this.#cancel = parts.monitor.onDecision(({ state, readyToPowerOff, backAtMs }) => {
      const depth = state !== 'shutdown' ? 'day' : readyToPowerOff ? 'ready' : 'shutdown';
      const isDeeper = depth === 'ready' || (depth === 'shutdown' && this.#depth === 'day');
      const isNews = depth !== this.#depth && isDeeper;
      this.#depth = depth;
      if (isNews) this.#underway = this.#underway.then(() => this.#settle(depth, backAtMs));
    });
  }

  async close(): Promise<void> {
    this.#cancel();
    await this.#underway;
  }

  async #settle(depth: Depth, backAtMs: number | undefined): Promise<void> {
    const { settle, monitor, log } = this.#parts;
    try {
      for (const step of settle) await step();
    } catch (error) {
      // Journal or store are at fault and say so themselves; there is nothing more to save.
      if (!(error instanceof HubError)) throw error;
      return;
    }
    await monitor.save();
    const back = backAtMs === undefined ? 'not known' : isoTime(backAtMs);
    log.info('power.settled', { depth, backAt: back });
    const ready = depth === 'ready' ? 'the site may be switched off: ' : '';
    const until = backAtMs === undefined ? 'when the sun is back' : `about ${minuteText(backAtMs)}`;
    monitor.append({
      event: 'decision',
      why: `${ready}everything is on the card; back ${until}`,
    });
  }
}

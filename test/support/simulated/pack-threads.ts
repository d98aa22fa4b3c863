/** Threads that pack batches without being threads: each answers when others had their turn, and breaks when it is told to. */
import type { StartThread, ThreadListeners } from '../../../src/platform/threads.ts';
import { PackDesk } from '../../../src/uplink/packing/pack-desk.ts';
import type { ToPackThread } from '../../../src/uplink/packing/thread-messages.ts';

export class PackThreads {
  started = 0;
  ended = 0;
  /** Messages of this type break the thread; `start`: there is none to be had. */
  breaksAt: ToPackThread['type'] | 'start' | undefined;
  /** Messages of this type are not answered. */
  hangsAt: ToPackThread['type'] | undefined;

  readonly start: StartThread = (listeners) => {
    this.started += 1;
    if (this.breaksAt === 'start') throw new Error('EAGAIN');
    const desk = new PackDesk();
    return {
      post: (message) => void this.#take(desk, structuredClone(message) as ToPackThread, listeners),
      end: () => void (this.ended += 1),
    };
  };

  async #take(desk: PackDesk, message: ToPackThread, listeners: ThreadListeners): Promise<void> {
    await Promise.resolve();
    if (message.type === this.hangsAt) return;
    if (message.type === this.breaksAt) listeners.onGone('out of memory');
    else await desk.take(message, (answer) => listeners.onMessage(answer));
  }
}

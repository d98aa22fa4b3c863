/**
 * Threads for work that is long, needs few things, and for which nobody waits in milliseconds: they run when the event loop
 * and whoever else is in a hurry leave the processor alone. What is posted is copied. Handing buffers over would spare that, and
 * cost more: at the first buffer that an engine sees taken away it drops all compiled code that ever touched one, here the
 * whole hub's, and what it compiles instead asks at each access whether the buffer is still there.
 */
import { constants, setPriority } from 'node:os';
import { parentPort, Worker } from 'node:worker_threads';

/** A thread, seen from whoever started it. */
export interface Thread {
  /** Of bytes that are part of a buffer, all of it travels. */
  post(message: unknown): void;
  /** At once, in the midst of whatever it does; nothing more is heard of it. */
  end(): void;
}

export interface ThreadListeners {
  onMessage(message: unknown): void;
  /** It broke, or ended by itself. */
  onGone(reason: string): void;
}

export type StartThread = (listeners: ThreadListeners) => Thread;

interface ThreadLimits {
  readonly heapMib: number;
  /** Of objects that were made a moment ago. */
  readonly youngMib: number;
}

/** Starts the module, which calls `serveThread`, as a thread. */
export function startThread(module: URL, limits: ThreadLimits, listeners: ThreadListeners): Thread {
  const worker = new Worker(module, {
    resourceLimits: {
      maxOldGenerationSizeMb: limits.heapMib,
      maxYoungGenerationSizeMb: limits.youngMib,
    },
  });
  let isOver = false;
  const gone = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    listeners.onGone(reason);
  };
  worker.on('message', (message) => {
    if (!isOver) listeners.onMessage(message);
  });
  worker.on('messageerror', (error) => gone(error.message));
  worker.on('error', (error) => gone(error.message));
  worker.on('exit', (code) => gone(`it ended with code ${code}`));
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the rule takes a thread for a window
    post: (message) => worker.postMessage(message),
    end: () => {
      isOver = true;
      void worker.terminate();
    },
  };
}

/** The thread's own end: takes what is posted to it, with the processor's time that is left over. */
export function serveThread(
  take: (message: unknown, answer: Thread['post']) => void | Promise<void>,
): void {
  const port = parentPort;
  if (port === null) throw new Error('this module is for a thread');
  yieldToOthers();
  const answer: Thread['post'] = (message) => port.postMessage(message);
  port.on('message', (message) => void take(message, answer));
}

/** On Linux a thread has a priority of its own; elsewhere it would be the whole process's. */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A system that does not allow it: then it runs like everybody else.
  }
}

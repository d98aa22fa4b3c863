/**
 * Work in a thread of its own, with limits of memory and time: for what would hold up the event loop for seconds. The module
 * exports `run`, which takes one value and returns another; both are copied.
 */
import { Worker } from 'node:worker_threads';

export interface ThreadLimits {
  readonly heapMib: number;
  readonly msMax: number;
}

const YOUNG_MIB = 16;
const ENTRY = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module)
    .then(({ run }) => run(workerData.input))
    .then((result) => parentPort.postMessage(result));
`;

/** What `run` of the module comes to; rejects where it throws or breaks a limit. */
export function runInThread(module: URL, input: unknown, limits: ThreadLimits): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { heapMib, msMax } = limits;
    const worker = new Worker(ENTRY, {
      eval: true,
      workerData: { module: module.href, input },
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    const timer = setTimeout(() => {
      reject(new Error(`it took more than ${msMax / 1_000} s`));
      void worker.terminate();
    }, msMax);
    worker.once('message', (result) => resolve(result));
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(timer);
      reject(new Error('it ended without a result'));
    });
  });
}

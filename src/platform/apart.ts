/**
 * Work in a process of its own, with limits of memory and time: for what would hold up the event loop for seconds and
 * take hundreds of megabytes, which a thread would leave behind in ours. The module exports `run`, which takes one value
 * and returns another; both are copied.
 */
import { spawn } from 'node:child_process';

interface ApartLimits {
  readonly heapMib: number;
  readonly msMax: number;
}

/** Where memory runs out, the system shall end this and not the hub, whose protection was inherited (`OOMScoreAdjust` of its unit). */
const ENTRY = `
  try {
    require('node:fs').writeFileSync('/proc/self/oom_score_adj', '500');
  } catch {}
  process.once('message', ({ module, input }) => {
    import(module)
      .then(({ run }) => run(input))
      .then((result) => process.send(result, () => process.disconnect()));
  });
`;

/** What `run` of the module comes to; rejects where it throws or breaks a limit. */
export function runApart(module: URL, input: unknown, limits: ApartLimits): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { heapMib, msMax } = limits;
    const child = spawn(process.execPath, [`--max-old-space-size=${heapMib}`, '-e', ENTRY], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    const timer = setTimeout(() => {
      reject(new Error(`it took more than ${msMax / 1_000} s`));
      child.kill('SIGKILL');
    }, msMax);
    child.once('message', (result) => resolve(result));
    child.once('error', reject);
    child.once('exit', () => {
      clearTimeout(timer);
      reject(new Error('it ended without a result'));
    });
    child.send({ module: module.href, input }, (error) => {
      if (error !== null) reject(error);
    });
  });
}

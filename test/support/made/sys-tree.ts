/** What a machine has below /sys and /dev, as a test says it. */
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimDriverFiles } from '../../../src/platform/sim/driver-files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { SimSerialPorts } from '../../../src/platform/sim/serial.ts';
import type { PowerMachine } from '../../../src/power/sources/source.ts';

/** Contents by path; an Error as content is thrown when read, or listed. */
export function treeOf(contents: Record<string, string | Error>): PowerMachine['files'] {
  return {
    exists: (path) => path in contents,
    read: (path) => {
      const content = contents[path];
      if (content instanceof Error) throw content;
      return content === undefined ? undefined : Buffer.from(`${content}\n`);
    },
    list: (dir) => {
      if (contents[dir] instanceof Error) throw contents[dir];
      const below = Object.keys(contents).filter((path) => path.startsWith(`${dir}/`));
      return [...new Set(below.map((path) => path.slice(dir.length + 1).split('/')[0] as string))];
    },
  };
}

export function machineOf(contents: Record<string, string | Error>): PowerMachine {
  const clock = new SimClock(0);
  const random = new SeededRandom(1);
  const serial = new SimSerialPorts(clock);
  const files = treeOf(contents);
  const drivers = driversOf(contents);
  const roots = { sysRoot: '/sys', devRoot: '/dev' };
  return { files, drivers, serial, clock, timers: clock, random, ...roots };
}

/** An Error is a driver that refuses an attribute. */
export function driversOf(contents: Record<string, string | Error>): SimDriverFiles {
  return new SimDriverFiles((path) => {
    const content = contents[path];
    return content instanceof Error ? undefined : content;
  });
}

/** What every part of a running hub stands on: configuration, machine, time, data directory, identity. */
import type { Closers } from '../closers.ts';
import type { ConfigInput } from '../config/config.ts';
import type { Config } from '../config/schema.ts';
import { type HubPaths, onSoundDisk, takeDataDirectory } from './data/data.ts';
import { awayFault } from './data/data-note.ts';
import { countHubWrites } from './storage/flash.ts';
import { openIdentity } from './data/identity.ts';
import { type SiteTime, siteTime } from './power/power.ts';
import { withinOpenFiles } from './limits/open-files.ts';
import type { Identity } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import type { Origin } from '../model/origin.ts';
import type { CountingFiles } from '../platform/files/counting-files.ts';
import type { FlashCause } from '../status/flash-ledger.ts';

export interface Ground {
  readonly config: Config;
  /** Where it comes from; undefined where it was made by a program. */
  readonly configInput: ConfigInput | undefined;
  /** Its files count what is written. */
  readonly machine: Machine;
  readonly written: CountingFiles<FlashCause>['writtenBytes'];
  /** Time of the site: the machine's own, unless the site is simulated. */
  readonly time: SiteTime;
  readonly paths: HubPaths;
  readonly identity: Identity;
  readonly id: Origin;
  /** Parts are closed in reverse of the order in which they came. */
  readonly closers: Closers;
  /** Resolves when the hub cannot go on and must be started again. */
  readonly failed: Promise<unknown>;
  fail(error: unknown): void;
}

/** Takes the data directory and reads or makes the identity; throws `data.away` or `data.failing` before anything is written. */
export function layGround(
  config: Config,
  bare: Machine,
  closers: Closers,
  configInput?: ConfigInput,
): Ground {
  const counting = countHubWrites(bare, config.data);
  const machine = { ...bare, files: counting.files };
  const { paths, identity } = onSoundDisk(config.data, () => takeData(config, machine, closers));
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise((resolve) => (fail = resolve));
  const id = identity.id;
  const time = siteTime(config, machine);
  return {
    config: withinOpenFiles(config, machine),
    configInput,
    machine,
    written: counting.writtenBytes,
    time,
    paths,
    identity,
    id,
    closers,
    failed,
    fail: (error) => fail(error),
  };
}

function takeData(
  config: Config,
  machine: Machine,
  closers: Closers,
): Pick<Ground, 'paths' | 'identity'> {
  const away = awayFault(config, machine.files);
  if (away !== undefined) throw away;
  const paths = takeDataDirectory(config.data, machine.files, closers);
  return { paths, identity: openIdentity(paths, machine) };
}

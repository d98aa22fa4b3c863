/**
 * `heliograph doctor`: looks at everything a person on site would look at, names the sync state, and gives its
 * steps (sync/RECOVERY.md). A running hub is asked, and its files are read beside; of one that stands still the
 * files tell all. `--fix` takes the steps that cannot lose anything, on a hub that stands still, and says
 * what it did.
 *
 * Exit code 1 where something is wrong and still is; notes are none.
 */
import { type FaultCode, HubError, systemCode } from '../../base/errors.ts';
import type { Config } from '../../config/schema.ts';
import { type HubPaths, hubPaths, isDataDirectory, layoutFault } from '../../hub/data/data.ts';
import { awayFault } from '../../hub/data/data-note.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import type { DirectoryLock } from '../../platform/files/files.ts';
import { MachineHost } from '../../platform/host.ts';
import type { StateDigest } from '../../status/api/api.ts';
import { savedLifeYears } from '../../status/flash-ledger.ts';
import type { StatusSnapshot } from '../../status/snapshot.ts';
import { RECOVERY_TABLE, type RecoveryRow, syncStatesOf } from '../../sync/recovery-table.ts';
import { DATA_LAYOUT } from '../../versions.ts';
import type { Args } from '../args.ts';
import { configOf } from '../config-options.ts';
import { HubApi } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { type Check, note, ok, skipped, wrong, wrongByFault } from './check.ts';
import { fileChecks, type FileFindings } from './file-checks.ts';
import { hubChecks, lifeCheck } from './hub-checks.ts';
import { print } from '../print.ts';
import { countText } from '../text.ts';
import { type Diagnosis, jsonOf, renderDiagnosis } from './render.ts';

const MIB = 1 << 20;

export async function doctor(args: Args, io: CliIo): Promise<ExitCode> {
  const diagnosis = args.has('url') ? await examineRemote(args, io) : await examine(args, io);
  print(args, io, jsonOf(diagnosis), () => renderDiagnosis(diagnosis, io));
  const isWrong = diagnosis.checks.some(({ verdict }) => verdict === 'wrong');
  const isBad = diagnosis.states?.some(({ severity }) => severity === 'wrong') === true;
  return isWrong || isBad ? EXIT.failed : EXIT.done;
}

/** A hub somewhere else: what it says of itself. */
async function examineRemote(args: Args, io: CliIo): Promise<Diagnosis> {
  const status = await HubApi.of(args, io).status();
  const compared = await compare(status, args, io);
  return {
    checks: [...hubChecks(status, 0), ...compared],
    states: statesOf(status, undefined, compared),
    fixed: [],
  };
}

async function examine(args: Args, io: CliIo): Promise<Diagnosis> {
  const config = configOf(args, io);
  const paths = hubPaths(config.data);
  const away = awayFault(config, io.files);
  if (away !== undefined) {
    const checks = [
      ok('config', configText(args, io)),
      wrongByFault('data', away.code, away.message),
    ];
    const fixed = args.has('fix') ? ['nothing: these are not the data of the hub'] : [];
    return { checks, states: undefined, fixed };
  }
  if (!isDataDirectory(config.data, io.files)) {
    const found = `${config.data} is not the data directory of a hub yet`;
    return {
      checks: [ok('config', configText(args, io)), note('data', found)],
      states: undefined,
      fixed: [],
    };
  }
  const layout = layoutFault(config.data, io.files);
  const first = [ok('config', configText(args, io)), layoutCheck(layout, config)];
  if (layout?.code === 'data.newer') {
    // Only that version knows what is right in them.
    const fixed = args.has('fix') ? ['nothing: a newer version wrote these files'] : [];
    return { checks: first, states: undefined, fixed };
  }
  const examined = { first, config, paths, args, io };
  const lock = takeLock(io, config.data);
  if (lock === 'held') return examineRunning(examined);
  if (lock === 'read-only') return examineReadOnly(examined);
  try {
    return examineStopped(examined);
  } finally {
    lock.release();
  }
}

/** A data directory that is looked at, and what is known of it already. */
interface Examined {
  readonly first: readonly Check[];
  readonly config: Config;
  readonly paths: HubPaths;
  readonly args: Args;
  readonly io: CliIo;
}

/** No hub can run here: what can be looked at without writing. */
function examineReadOnly({ first, config, paths, args, io }: Examined): Diagnosis {
  const found = fileChecks(io, config, paths, true);
  const disk = wrong(
    'disk',
    `the file system of ${config.data} is read-only`,
    'Kernels do that when a card fails: `dmesg` tells. Copy the data directory to another card before anything else.',
    'Where somebody did it on purpose: `mount -o remount,rw`, then start the hub.',
  );
  return {
    checks: [...first, disk, ...found.checks],
    states: stoppedStates(found),
    fixed: args.has('fix') ? ['nothing: the file system is read-only'] : [],
  };
}

async function examineRunning({ first, config, paths, args, io }: Examined): Promise<Diagnosis> {
  const found = fileChecks(io, config, paths, true);
  const before = [...first, ok('hub', 'runs'), ...found.checks];
  const fixed = args.has('fix') ? ['nothing: a hub runs here; stop it first'] : [];
  let status: StatusSnapshot;
  try {
    status = await HubApi.of(args, io).status();
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const check = wrongByFault('api', error.code, error.message);
    return { checks: [...before, check], states: stoppedStates(found), fixed };
  }
  const compared = await compare(status, args, io);
  return {
    checks: [...before, ...hubChecks(status, config.journal.freeMibMin * MIB), ...compared],
    states: statesOf(status, found, compared),
    fixed,
  };
}

function examineStopped({ first, config, paths, args, io }: Examined): Diagnosis {
  const look = (): FileFindings => fileChecks(io, config, paths, false);
  let found = look();
  const fixed: string[] = [];
  if (args.has('fix')) {
    for (const { fix } of found.checks) if (fix !== undefined) fixed.push(fix());
    if (fixed.length > 0) found = look();
  }
  const { diskBytes } = new MachineHost().figures(config.data);
  const life = savedLifeYears(io.files, paths.flash, diskBytes);
  const checks = [
    ...first,
    note('hub', 'does not run', 'systemctl start heliograph'),
    ...found.checks,
    lifeCheck(life),
    ...['uplink', 'clock', 'power'].map((name) => skipped(name, 'only a running hub knows')),
  ];
  return { checks, states: stoppedStates(found), fixed };
}

/** The lock; `held` where a hub has it, `read-only` where nobody can. */
function takeLock({ files }: CliIo, dir: string): DirectoryLock | 'held' | 'read-only' {
  try {
    return files.lockDir(dir);
  } catch (error) {
    if (error instanceof HubError && error.code === 'data.locked') return 'held';
    if (systemCode(error) === 'EROFS') return 'read-only';
    throw error;
  }
}

function configText(args: Args, io: CliIo): string {
  const path = args.text('config') ?? io.env['HELIOGRAPH_CONFIG'];
  return path === undefined ? 'defaults, no file' : path;
}

function layoutCheck(fault: HubError | undefined, { data }: Config): Check {
  return fault === undefined
    ? ok('data', `${data}, layout ${DATA_LAYOUT}`)
    : wrongByFault('data', fault.code, fault.message);
}

/** States that files alone can prove; undefined where they prove none. */
function stoppedStates(found: FileFindings): readonly RecoveryRow[] | undefined {
  const { damagedRanges, quarantinedRanges, lackedOps, fileFaults } = found;
  const [worst, ...more] = syncStatesOf({
    faults: new Set<FaultCode>(fileFaults),
    damagedRanges,
    quarantinedRanges,
    lackedOps,
  });
  return worst.name === 'in sync' ? undefined : [worst, ...more];
}

/** What the hub says of itself, with what its files and a comparison add. */
function statesOf(
  { sync, faults }: StatusSnapshot,
  found: FileFindings | undefined,
  compared: readonly Check[],
): readonly RecoveryRow[] {
  const isDifferent = compared.some(({ verdict }) => verdict === 'wrong');
  const proven = syncStatesOf({
    faults: new Set<FaultCode>([...faults.map(({ code }) => code), ...(found?.fileFaults ?? [])]),
    ...(found === undefined ? {} : { ...found }),
    ...(isDifferent ? { digests: 'different' } : {}),
  });
  const names = new Set<string>([sync.state, ...sync.also, ...proven.map(({ name }) => name)]);
  if (names.size > 1) names.delete('in sync');
  return RECOVERY_TABLE.filter(({ name }) => names.has(name));
}

/** With `--compare`: the digests of both sides, once everything has its receipt. */
async function compare(status: StatusSnapshot, args: Args, io: CliIo): Promise<Check[]> {
  const address = args.text('compare');
  if (address === undefined) return [];
  const isWaiting = CLASS_NAMES.some((name) => name !== 'log' && status.backlog[name].ops > 0);
  if (isWaiting) return [skipped('region', 'not everything has its receipt yet: compare later')];
  try {
    const site = encodeURIComponent(status.site);
    const here = (await HubApi.of(args, io).json('/api/v1/digest')) as StateDigest;
    const region = new HubApi(address, args, io);
    const there = (await region.json(`/api/v1/digest?site=${site}`)) as StateDigest;
    if (here.digest === there.digest) return [ok('region', `same state, digest ${here.digest}`)];
    const { dropped } = status.journal;
    if (dropped.ops > 0) {
      const why = `${dropped.ops} ops of class bulk were dropped here (journal.on_full) and never got there`;
      return [skipped('region', `${why}: the digests differ for that alone, or for more`)];
    }
    if (status.faults.some(({ code }) => code === 'uplink.forgotten')) {
      const why = 'the region has lost ops that are not here any more (uplink.forgotten)';
      return [skipped('region', `${why}: the digests differ for that alone, or for more`)];
    }
    const lacking = there.ops - here.ops;
    if (lacking > 0) {
      const why = `the region has ${countText(lacking, 'op')} more than this hub`;
      return [skipped('region', `${why}: of other hubs, or still to come down; compare later`)];
    }
    const found = `${here.digest} here (${here.ops} ops), ${there.digest} there (${there.ops} ops)`;
    return [wrong('region', found)];
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return [skipped('region', error.message)];
  }
}

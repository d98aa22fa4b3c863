/**
 * `heliograph bench apply`: how fast what lies in the journal gets into the tables, and how long a person waits for an
 * undo of any of the last ten thousand ops, from the wish until it is durable and shows. On the hub's own journal,
 * door, applier and store, in this process.
 */
import { Closers } from '../../../closers.ts';
import { HubError } from '../../../base/errors.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { layGround } from '../../../hub/ground.ts';
import { HubRecords } from '../../../hub/records.ts';
import { type Serving, serveDevices } from '../../../hub/serving.ts';
import { type Machine, thisMachine } from '../../../machine.ts';
import { textOfOpId } from '../../../merge/op-id.ts';
import type { Args } from '../../args.ts';
import { type CliIo, EXIT, type ExitCode } from '../../io.ts';
import { folderOf, inNewFolder } from '../folder.ts';
import { spreadOf } from '../latencies.ts';
import { configFor } from '../own-hub.ts';
import { type Edit, Edits } from './edits.ts';

interface Undos {
  readonly of: string;
  readonly count: number;
  readonly refused: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface Report {
  readonly ops: number;
  readonly applyOpsPerS: number;
  readonly conflicts: number;
  readonly undos: readonly Undos[];
}

interface Timed {
  readonly edit: Edit;
  readonly ms: number;
  readonly isRefused: boolean;
}

const OPS = 100_000;
const UNDOS = 1_000;
const NEWEST = 10_000;
const mayRead = (): boolean => true;

export async function benchApply(args: Args, io: CliIo): Promise<ExitCode> {
  const ops = args.number('ops', NEWEST, 10_000_000) ?? OPS;
  const undos = args.number('undos', 1, NEWEST) ?? UNDOS;
  await inNewFolder(folderOf(args), io, async (dir) => {
    const report = await measure({ dir, ops, undos });
    const lines = args.has('json') ? [JSON.stringify(report, undefined, 2)] : linesOf(report);
    for (const line of lines) io.stdout(`${line}\n`);
  });
  return EXIT.done;
}

async function measure({
  dir,
  ops,
  undos,
}: {
  readonly dir: string;
  readonly ops: number;
  readonly undos: number;
}): Promise<Report> {
  const machine = thisMachine({}, SILENT_LOG);
  const closers = new Closers();
  try {
    const ground = layGround(configFor(dir), machine, closers);
    const serving = await serveDevices(ground);
    const edits = await fill(serving, ops, machine);
    const applyOpsPerS = await apply(serving, edits.length, machine);
    const { conflicts } = serving.store.state.records.counts();
    const records = new HubRecords({ ...serving, id: ground.id });
    const timed = await undoSome(records, edits.slice(-NEWEST), undos, machine);
    return { ops: edits.length, applyOpsPerS, conflicts, undos: groupsOf(timed) };
  } finally {
    await closers.close();
  }
}

/** Journals the edits through the door, as devices would send them. */
async function fill({ door, journal }: Serving, ops: number, { clock }: Machine): Promise<Edit[]> {
  const work = new Edits(clock.wallMs());
  const edits: Edit[] = [];
  while (edits.length < ops) {
    const { device, bytes, edits: made } = work.next();
    const { lsn, rejected } = door.acceptOps(bytes, { role: 'technician', device });
    const [first] = rejected;
    if (first !== undefined) throw new HubError('bench.broken', first.reason);
    await journal.whenDurable(lsn);
    edits.push(...made);
  }
  return edits;
}

async function apply(
  { store, journal }: Serving,
  ops: number,
  { clock }: Machine,
): Promise<number> {
  const beganMs = clock.monotonicMs();
  store.follow();
  await store.whenApplied(journal.durableLsn);
  return ops / ((clock.monotonicMs() - beganMs) / 1_000);
}

/** Takes back ops all over the list, each by a wish of its own. */
async function undoSome(
  records: HubRecords,
  edits: readonly Edit[],
  count: number,
  { clock }: Machine,
): Promise<Timed[]> {
  const timed: Timed[] = [];
  for (let i = 0; i < count; i++) {
    const edit = edits[Math.floor((i * edits.length) / count)];
    if (edit === undefined) continue;
    const beganMs = clock.monotonicMs();
    const op = textOfOpId(edit.id);
    const { kind } = await records.undo({ op, cascade: false, role: 'operator', mayRead });
    timed.push({ edit, ms: clock.monotonicMs() - beganMs, isRefused: kind === 'refused' });
  }
  return timed;
}

function groupsOf(timed: readonly Timed[]): Undos[] {
  const groups = new Map<string, Timed[]>();
  for (const one of timed) {
    const place = one.edit.isOnBusy ? 'in a crowd' : 'among few';
    for (const name of ['all', `${one.edit.kind} ${place}`]) {
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [one]);
      else group.push(one);
    }
  }
  return [...groups].map(([of, group]) => {
    const { median, p99, max } = spreadOf(group.map(({ ms }) => ms));
    const refused = group.filter(({ isRefused }) => isRefused).length;
    return { of, count: group.length, refused, medianMs: median, p99Ms: p99, maxMs: max };
  });
}

function linesOf({ ops, applyOpsPerS, conflicts, undos }: Report): string[] {
  const number = (value: number): string => Math.round(value).toLocaleString('en');
  return [
    `${number(ops)} ops on records from the journal into the tables: ${number(applyOpsPerS)} a second`,
    `conflicts met on the way: ${number(conflicts)}`,
    ...undos.map(({ of, count, refused, medianMs, p99Ms, maxMs }) => {
      const times = [medianMs, p99Ms, maxMs].map((ms) => ms.toFixed(1)).join(', ');
      return `undo of ${of}: ${count}, of them ${refused} refused; median, p99, max ${times} ms`;
    }),
  ];
}

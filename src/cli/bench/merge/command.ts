/**
 * `heliograph bench apply`: how fast what lies in the journal gets into the tables: messages of meters, edits of ten thousand work
 * orders, and edits of which a third meet in one; and how long a person waits for an undo of any of the last ten thousand of
 * these, from the wish until it is durable and shows. On the hub's own journal, door, applier and store, in this process.
 */
import { utf8 } from '../../../base/bytes.ts';
import { addTo } from '../../../base/groups.ts';
import { Closers } from '../../../closers.ts';
import { HubError } from '../../../base/errors.ts';
import { SILENT_LOG } from '../../../base/log.ts';
import { layGround } from '../../../hub/ground.ts';
import { HubRecords } from '../../../hub/records.ts';
import { type Serving, serveDevices } from '../../../hub/serving.ts';
import { type Machine, thisMachine } from '../../../machine.ts';
import { textOfOpId } from '../../../merge/op-id.ts';
import type { Origin } from '../../../model/origin.ts';
import type { Args } from '../../args.ts';
import type { CliIo } from '../../io.ts';
import { print } from '../../print.ts';
import { folderOf, inNewFolder } from '../folder.ts';
import { spreadOf } from '../load/latencies.ts';
import { configFor, publishThrough } from '../own-hub.ts';
import { type Edit, Edits, type Orders, STEP_MS } from './edits.ts';

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
  /** Of messages, of edits of many records, and of edits in a crowd. */
  readonly messagesPerS: number;
  readonly editsPerS: number;
  readonly crowdedEditsPerS: number;
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
const METERS = 200;
const GROUP = 1_000;
const MANY: Orders = { count: 10_000, isCrowded: false };
const CROWD: Orders = { count: 1_000, isCrowded: true };
const mayRead = (): boolean => true;

export async function benchApply(args: Args, io: CliIo): Promise<void> {
  const ops = args.number('ops', NEWEST, 10_000_000) ?? OPS;
  const undos = args.number('undos', 1, NEWEST) ?? UNDOS;
  await inNewFolder(folderOf(args), io, async (dir) => {
    const report = await measure({ dir, ops, undos });
    print(args, io, report, () => linesOf(report));
  });
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
  const messagesPerS = await onHub(`${dir}/messages`, async ({ serving, machine }) => {
    await publishThrough(serving, messages(ops), GROUP);
    return apply(serving, ops, machine);
  });
  const editsPerS = await onHub(`${dir}/many`, async ({ serving, machine }) => {
    const edits = await fill(serving, ops, machine, MANY);
    return apply(serving, edits.length, machine);
  });
  return onHub(`${dir}/crowd`, async ({ serving, machine, id }) => {
    const edits = await fill(serving, ops, machine, CROWD);
    const crowdedEditsPerS = await apply(serving, edits.length, machine);
    const { conflicts } = serving.store.state.records.counts();
    const records = new HubRecords({ ...serving, id });
    const timed = await undoSome(records, edits.slice(-NEWEST), undos, machine);
    const rates = { messagesPerS, editsPerS, crowdedEditsPerS };
    return { ops: edits.length, ...rates, conflicts, undos: groupsOf(timed) };
  });
}

interface BenchHub {
  readonly serving: Serving;
  readonly machine: Machine;
  readonly id: Origin;
}

/** Opens an empty hub for one measurement. */
async function onHub<T>(dir: string, use: (hub: BenchHub) => Promise<T>): Promise<T> {
  const machine = thisMachine({}, SILENT_LOG);
  const closers = new Closers();
  try {
    const ground = layGround(configFor(dir), machine, closers);
    return await use({ serving: await serveDevices(ground), machine, id: ground.id });
  } finally {
    await closers.close();
  }
}

/** Readings, as meters publish them. */
function* messages(
  count: number,
): Generator<{ readonly topic: string; readonly payload: Uint8Array }> {
  for (let i = 0; i < count; i++) {
    const reading = { v: 230 + (i % 97) / 10, n: i };
    yield { topic: `meters/${i % METERS}/voltage`, payload: utf8(JSON.stringify(reading)) };
  }
}

/** Journals the edits through the door, as devices would send them. */
async function fill(
  { door, journal }: Serving,
  ops: number,
  { clock }: Machine,
  orders: Orders,
): Promise<Edit[]> {
  // No clock is ahead: the hub would take its own time instead, and the order with it.
  const work = new Edits(clock.wallMs() - ops * STEP_MS, orders);
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
      addTo(groups, name, one);
    }
  }
  return [...groups].map(([of, group]) => {
    const { median, p99, max } = spreadOf(group.map(({ ms }) => ms));
    const refused = group.filter(({ isRefused }) => isRefused).length;
    return { of, count: group.length, refused, medianMs: median, p99Ms: p99, maxMs: max };
  });
}

function linesOf(report: Report): string[] {
  const { ops, messagesPerS, editsPerS, crowdedEditsPerS, conflicts, undos } = report;
  const number = (value: number): string => Math.round(value).toLocaleString('en');
  return [
    `from the journal into the tables, ${number(ops)} each:`,
    `  messages of ${METERS} meters: ${number(messagesPerS)} a second`,
    `  edits of ${number(MANY.count)} work orders: ${number(editsPerS)} a second`,
    `  edits of which a third meet in one work order: ${number(crowdedEditsPerS)} a second, ${number(conflicts)} conflicts`,
    ...undos.map(({ of, count, refused, medianMs, p99Ms, maxMs }) => {
      const times = [medianMs, p99Ms, maxMs].map((ms) => ms.toFixed(1)).join(', ');
      return `undo of ${of}: ${count}, of them ${refused} refused; median, p99, max ${times} ms`;
    }),
  ];
}

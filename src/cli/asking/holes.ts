/** `heliograph holes list|close`: what devices had handed in at hubs that this one has not met since, and what its card has lost. */
import type { HoleRow } from '../../status/api/holes.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from './hub-api.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { countText, printable } from '../text.ts';

interface ListedHoles {
  readonly holes: readonly HoleRow[];
  readonly searching: boolean;
}

export async function listHoles(args: Args, io: CliIo): Promise<void> {
  const answer = (await HubApi.of(args, io).json('/api/v1/holes')) as ListedHoles;
  print(args, io, answer, () => linesOf(answer));
}

function linesOf({ holes, searching }: ListedHoles): string[] {
  const lines = holes.map((hole) => printable(lineOf(hole)));
  if (searching) return ['The journal is still being looked through: there may be more.', ...lines];
  return lines.length === 0 ? ['This hub lacks nothing that it knows of.'] : lines;
}

export async function closeHoles(args: Args, io: CliIo): Promise<void> {
  const [origin] = args.operands;
  if ((origin === undefined) !== args.has('all')) {
    throw new UsageError('Say which: an ORIGIN of `heliograph holes list`, or --all.');
  }
  const wish = origin === undefined ? { all: true } : { origin };
  const closed = (await HubApi.of(args, io).post('/api/v1/holes/close', wish)) as {
    readonly ops: number;
    readonly ranges: number;
  };
  const { ops, ranges } = closed;
  const lost = ranges === 0 ? '' : `, and ${countText(ranges, 'damaged range')} given up`;
  print(args, io, closed, () => [
    `Closed: nobody is asked for ${countText(ops, 'op')} any more${lost}.`,
  ]);
}

function lineOf({ origin, class: opClass, from, to, device, since, closed }: HoleRow): string {
  const whose = device === null ? 'told by another hub' : `of ${device}`;
  const told = since === null ? ['lost by the card'] : [whose, `since ${since}`];
  const parts = [origin, `${opClass} ${from} to ${to}`, ...told];
  return [...parts, ...(closed ? ['closed'] : [])].join('  ');
}

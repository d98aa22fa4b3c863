/** `heliograph holes list|close`: what devices had handed in at hubs that this one has not met since, and what its card has lost. */
import type { HoleRow } from '../../status/api/holes.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from './hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { countText, printable } from '../text.ts';

interface ListedHoles {
  readonly holes: readonly HoleRow[];
  /** Hubs of earlier versions do not say. */
  readonly searching?: boolean;
}

export async function listHoles(args: Args, io: CliIo): Promise<ExitCode> {
  const answer = await HubApi.of(args, io).json('/api/v1/holes');
  if (args.has('json')) {
    io.stdout(`${JSON.stringify(answer)}\n`);
    return EXIT.done;
  }
  const { holes, searching = false } = answer as ListedHoles;
  if (searching) io.stdout('The journal is still being looked through: there may be more.\n');
  else if (holes.length === 0) io.stdout('This hub lacks nothing that it knows of.\n');
  for (const hole of holes) io.stdout(`${printable(lineOf(hole))}\n`);
  return EXIT.done;
}

export async function closeHoles(args: Args, io: CliIo): Promise<ExitCode> {
  const [origin] = args.operands;
  if ((origin === undefined) !== args.has('all')) {
    throw new UsageError('Say which: an ORIGIN of `heliograph holes list`, or --all.');
  }
  const wish = origin === undefined ? { all: true } : { origin };
  const answer = await HubApi.of(args, io).post('/api/v1/holes/close', wish);
  if (args.has('json')) io.stdout(`${JSON.stringify(answer)}\n`);
  else {
    const { ops, ranges } = answer as { readonly ops: number; readonly ranges: number };
    const lost = ranges === 0 ? '' : `, and ${countText(ranges, 'damaged range')} given up`;
    io.stdout(`Closed: nobody is asked for ${countText(ops, 'op')} any more${lost}.\n`);
  }
  return EXIT.done;
}

function lineOf({ origin, class: opClass, from, to, device, since, closed }: HoleRow): string {
  const whose = device === null ? 'told by another hub' : `of ${device}`;
  const told = since === null ? ['lost by the card'] : [whose, `since ${since}`];
  const parts = [origin, `${opClass} ${from} to ${to}`, ...told];
  return [...parts, ...(closed ? ['closed'] : [])].join('  ');
}

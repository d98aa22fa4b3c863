/** `heliograph regional config` and `regional roster`: settings and members of a site's hubs, through the running node. */
import { HubError } from '../../base/errors.ts';
import { mayBeSetRemotely, REMOTE_KEYS } from '../../config/remote.ts';
import { looksLikeRoster } from '../../security/enrolment/roster.ts';
import { type Args, UsageError } from '../args.ts';
import type { CliIo, ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { printable } from '../text.ts';
import { regionApi, sendWish, siteOf, pairsOf, valueOf } from './regional-send.ts';

interface Report {
  readonly hub: string;
  readonly at: string;
  readonly state: string;
  readonly set: Readonly<Record<string, unknown>>;
  readonly refused: readonly { readonly key: string; readonly reason: string }[];
}

export async function regionalConfig(args: Args, io: CliIo): Promise<ExitCode | void> {
  const site = siteOf(args);
  const set = pairsOf(args.texts('field'), valueOf);
  const unset = Object.fromEntries(args.texts('unset').map((key) => [key, null]));
  const wished = { ...set, ...unset };
  if (Object.keys(wished).length === 0) return showReports(site, args, io);
  const strange = Object.keys(set).find((key) => !mayBeSetRemotely(key));
  if (strange !== undefined) {
    const keys = REMOTE_KEYS.map((key) => (key.endsWith('.') ? `${key}*` : key)).join(', ');
    throw new UsageError(`${strange} may not be set from afar; what may: ${keys}`);
  }
  const hub = args.text('hub') ?? 'all';
  return sendWish('/api/v1/config', { site, hub, set: wished }, args, io);
}

export async function regionalRoster(args: Args, io: CliIo): Promise<ExitCode> {
  const file = args.operand(0);
  const roster = io.files.read(file);
  if (roster === undefined) throw new UsageError(`${file} is not there`);
  // Hubs believe the authority's signature alone; but a wrong file is better found here than in silence there.
  if (!looksLikeRoster(roster)) throw new HubError('enrol.untrusted', `${file} is no roster`);
  const wish = { site: siteOf(args), roster: Buffer.from(roster).toString('base64') };
  return sendWish('/api/v1/roster', wish, args, io);
}

async function showReports(site: string, args: Args, io: CliIo): Promise<void> {
  const path = `/api/v1/config?site=${encodeURIComponent(site)}`;
  const { hubs } = (await regionApi(args, io).json(path)) as { hubs: readonly Report[] };
  print(args, io, { site, hubs }, () =>
    hubs.length === 0 ? [NOTHING] : hubs.flatMap((report) => reportLines(report)),
  );
}

const NOTHING = 'No hub of this site has said anything of settings.';
const STATES: Readonly<Record<string, string>> = {
  new: 'is starting with them',
  good: 'runs with them',
  failed: 'did not come up with them, and runs without',
};

function reportLines({ hub, at, state, set, refused }: Report): string[] {
  const lines = Object.entries(set).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}`);
  const no = refused.map(({ key, reason }) => `  ${key} refused: ${reason}`);
  const head = `${hub} ${STATES[state] ?? state}, said at ${at}`;
  return [head, ...lines, ...no].map((line) => printable(line));
}

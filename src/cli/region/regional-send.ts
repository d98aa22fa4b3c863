/** `heliograph regional send` and `regional override`: what the region wants at its sites, through the running node. */
import { pause } from '../../base/clock.ts';
import { durationMs } from '../../base/duration.ts';
import { HubError } from '../../base/errors.ts';
import { regionalDir } from '../../hub/data/data.ts';
import { type Args, UsageError } from '../args.ts';
import { configOf } from '../config-options.ts';
import { HubApi, runtimeOf } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { countText, printable } from '../text.ts';

interface Delivery {
  readonly has: readonly string[];
  readonly waits: readonly string[];
}

interface SentDocument extends Delivery {
  readonly op: string;
  readonly site: string;
}

const MINUTE_MS = 60_000;

export async function regionalSend(args: Args, io: CliIo): Promise<ExitCode> {
  const key = args.text('key');
  if (key === undefined) throw new UsageError('Say which record: --key order/17');
  const set = pairsOf(args.texts('field'), valueOf);
  const add = pairsOf(args.texts('add'), numberOf);
  const remove = args.has('remove');
  const parts = [Object.keys(set).length > 0, Object.keys(add).length > 0, remove];
  if (parts.filter(Boolean).length !== 1) {
    throw new UsageError('Say one of --field NAME=VALUE …, --add NAME=N …, --remove');
  }
  const what = remove ? { remove } : parts[0] === true ? { set } : { add };
  return sendWish('/api/v1/send', { site: siteOf(args), key, ...what }, args, io);
}

export async function regionalOverride(args: Args, io: CliIo): Promise<ExitCode> {
  const text = args.text('for');
  if (args.has('end') === (text !== undefined)) {
    throw new UsageError('Say either --for 30m or --end.');
  }
  const forMs = text === undefined ? 0 : durationMs(text);
  if (forMs === undefined) throw new UsageError('--for is a duration such as 30m or 2h');
  const hub = args.text('hub') ?? 'all';
  const wish = { site: siteOf(args), hub, minutes: forMs / MINUTE_MS };
  return sendWish('/api/v1/override', wish, args, io);
}

/** Sends a wish down, and waits for it as `--wait` says. */
export async function sendWish(
  path: string,
  wish: object,
  args: Args,
  io: CliIo,
): Promise<ExitCode> {
  const api = regionApi(args, io);
  const { op, site, ...first } = (await api.post(path, wish)) as SentDocument;
  let delivery: Delivery = first;
  const hub = args.text('hub');
  const waitedFor = ({ has, waits }: Delivery): readonly string[] => {
    return hub === undefined ? waits : [hub].filter((each) => !has.includes(each));
  };
  const waitMs = durationMs(args.text('wait') ?? '0s') ?? 0;
  const endMs = io.clock.monotonicMs() + waitMs;
  while (io.clock.monotonicMs() < endMs && waitedFor(delivery).length > 0) {
    await pause(io.timers, POLL_MS);
    const query = `site=${encodeURIComponent(site)}&op=${encodeURIComponent(op)}`;
    delivery = (await api.json(`/api/v1/delivery?${query}`)) as Delivery;
  }
  const sent: SentDocument = { op, site, ...delivery };
  const missing = waitMs === 0 ? [] : waitedFor(sent);
  print(args, io, sent, () => [
    sentText(sent),
    ...(missing.length === 0
      ? []
      : [`Not yet: ${missing.toSorted().map(printable).join(', ')}. ${WHEN}`]),
  ]);
  return missing.length === 0 ? EXIT.done : EXIT.failed;
}

const POLL_MS = 500;
const WHEN =
  'A hub asks when it has something to send, else after its uplink.check_in_minutes (an hour; longer by radio and while energy is short).';

function sentText({ op, has, waits }: SentDocument): string {
  const there = `${countText(has.length, 'hub')} of ${has.length + waits.length}`;
  return `${printable(op)} is stored here; ${there} ${has.length === 1 ? 'has' : 'have'} it.`;
}

export function regionApi(args: Args, io: CliIo): HubApi {
  const url = args.text('url');
  if (url !== undefined) return new HubApi(url, args, io);
  const dir = regionalDir(configOf(args, io).data);
  const address = runtimeOf(dir, io)?.http;
  if (address === undefined) {
    throw new HubError('hub.unreachable', `no regional node runs on ${dir}: give --url`);
  }
  return new HubApi(address, args, io);
}

export function siteOf(args: Args): string {
  const site = args.text('site');
  if (site === undefined) throw new UsageError('Say which site: --site NAME');
  return site;
}

export function pairsOf<T>(texts: readonly string[], read: (text: string) => T): Record<string, T> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at <= 0) throw new UsageError(`${text} is not NAME=VALUE`);
      return [text.slice(0, at), read(text.slice(at + 1))];
    }),
  );
}

/** JSON where it is some, else the text as it is. */
export function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function numberOf(text: string): number {
  const number = Number(text);
  if (text === '' || !Number.isSafeInteger(number))
    throw new UsageError(`${text} is no whole number`);
  return number;
}

/** `heliograph override`: sends everything now, for a while, because somebody is on site. */
import { wallMsOfIso } from '../../base/iso-time.ts';
import { durationMs, durationText } from '../../base/duration.ts';
import type { PowerStatus } from '../../status/snapshot.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from '../asking/hub-api.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { OWN_TIMES } from './reader-times.ts';

const MINUTE_MS = 60_000;
const LONGEST_MS = 24 * 60 * MINUTE_MS;

export async function overridePower(args: Args, io: CliIo): Promise<void> {
  const forMs = durationOf(args);
  const wish = { minutes: forMs / MINUTE_MS };
  const answer = (await HubApi.of(args, io).post('/api/v1/override', wish)) as {
    readonly override: PowerStatus['override'];
  };
  print(args, io, answer, () => [textOf(answer.override, forMs)]);
}

function textOf(override: PowerStatus['override'], forMs: number): string {
  if (override === null) return 'Ended. The power brain decides again.';
  const until = `until ${OWN_TIMES.minute(wallMsOfIso(override.until) ?? 0)} by the hub's clock`;
  return override.held
    ? `Nothing goes: what is left in the battery keeps the site alive. Once the sun has lifted it, everything goes ${until}.`
    : `Everything goes for ${durationText(forMs / 1_000)}, ${until}.`;
}

/** 0: the end. */
function durationOf(args: Args): number {
  const text = args.text('for');
  if (args.has('end') === (text !== undefined))
    throw new UsageError('Say either --for 30m or --end.');
  if (text === undefined) return 0;
  const ms = durationMs(text);
  if (ms !== undefined && ms > 0 && ms <= LONGEST_MS) return ms;
  throw new UsageError('--for is a duration such as 30m or 2h, at most 24h');
}

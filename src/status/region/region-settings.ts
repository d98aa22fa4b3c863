/**
 * Settings and roster for hubs, over HTTP at the regional node: `POST /api/v1/config` asks a hub or all of a site for settings,
 * `GET /api/v1/config?site=` says what hubs have made of them, `POST /api/v1/roster` sends a signed roster down.
 * Only for supervisors and operators: hubs heed nobody else in this.
 */
import { EMPTY_BYTES } from '../../base/bytes.ts';
import type { JsonValue } from '../../codec/json.ts';
import type { Role } from '../../model/op.ts';
import { jsonAnswer } from '../http/answers.ts';
import { problem } from '../http/problem.ts';
import type { Wish } from '../http/wish.ts';
import { isHubOrAll, isObject, type SendDoor, sent } from './send-door.ts';

/** A hub's newest word on its settings. */
export interface SettingsReport {
  readonly hub: string;
  /** By the hub's clock. */
  readonly at: string;
  /** `new`: the hub starts with them; `good`: it has; `failed`: it did not come up, and goes on without. */
  readonly state: string;
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly refused: readonly { readonly key: string; readonly reason: string }[];
}

export interface SettingsDoor {
  /** Undefined where no such site is known. */
  settings(site: string): Promise<readonly SettingsReport[] | undefined>;
}

/** Base64 of the 1,000,000 bytes that a roster may have. */
const ROSTER_CHARS_MAX = 1_333_336;
const TOO_LOW = 'Settings and rosters are for supervisors and operators.';

/** `{"site": …, "hub": "all", "set": {"power.capacity_wh": 512, "log_level": null}}`; null takes a setting back. */
export async function settingsWishAnswer(door: SendDoor, { body, role }: Wish): Promise<Response> {
  if (!mayDecide(role)) return problem(403, TOO_LOW);
  const { site, hub = 'all', set } = body;
  if (typeof site !== 'string' || !isHubOrAll(hub) || !isObject(set)) {
    return problem(400, 'Say {"site": …, "hub": "all", "set": {"power.capacity_wh": 512}}.');
  }
  return sent(door, await door.send({ site, key: `config/${hub}`, set, role }), site);
}

export async function settingsAnswer(door: SettingsDoor, url: URL): Promise<Response> {
  const site = url.searchParams.get('site');
  if (site === null) return problem(400, 'Say which site: ?site=demo');
  const hubs = await door.settings(site);
  return hubs === undefined ? problem(404, `There is no site ${site} here.`) : jsonAnswer({ hubs });
}

/** `{"site": …, "roster": base64 of enrol/roster.cbor}`; hubs verify it. */
export async function rosterAnswer(door: SendDoor, { body, role }: Wish): Promise<Response> {
  if (!mayDecide(role)) return problem(403, TOO_LOW);
  const { site, roster } = body;
  const isText = typeof roster === 'string' && roster.length <= ROSTER_CHARS_MAX;
  const bytes = isText ? new Uint8Array(Buffer.from(roster, 'base64')) : EMPTY_BYTES;
  if (typeof site !== 'string' || bytes.length === 0) {
    return problem(400, 'Say {"site": …, "roster": base64 of enrol/roster.cbor}.');
  }
  return sent(door, await door.sendRoster(site, bytes), site);
}

function mayDecide(role: Role): boolean {
  return role === 'supervisor' || role === 'operator';
}

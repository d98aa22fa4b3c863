/**
 * What the regional node sends down, over HTTP: `POST /api/v1/send` writes a record of a site, such as a work order, `POST
 * /api/v1/override` asks hubs to send everything for a while, and `GET /api/v1/delivery` says which hubs have an op. In mode
 * `password` with the authority of whoever asks.
 */
import type { JsonValue } from '../../codec/json.ts';
import { isSpan, MINUTE_MS, MINUTES_MAX } from '../api/override.ts';
import { jsonAnswer } from '../http/answers.ts';
import { problem } from '../http/problem.ts';
import type { Wish } from '../http/wish.ts';
import { isHubOrAll, isObject, type SendDoor, sent } from './send-door.ts';

const KEY_MAX = 200;

/** `{"site": …, "key": "order/17", "set": {"state": "open"}}`. */
export async function sendAnswer(door: SendDoor, { body, role }: Wish): Promise<Response> {
  const { site, key, set, add, remove } = body;
  const isRemove = remove === true;
  const asks = [set, add, isRemove ? true : undefined].filter((part) => part !== undefined);
  if (typeof site !== 'string' || !isKey(key) || asks.length !== 1) {
    return problem(400, 'Say what: {"site": …, "key": "order/17", "set": {…} | "add": {…}}.');
  }
  if (key.startsWith('control/')) {
    return problem(400, 'What hubs are to do is asked by POST /api/v1/override.');
  }
  if (key.startsWith('config/')) return problem(400, 'Settings are sent by POST /api/v1/config.');
  const what = isRemove ? {} : isObject(set) ? { set } : isNumbers(add) ? { add } : undefined;
  if (what === undefined) return problem(400, '"set" holds fields, "add" whole numbers.');
  return sent(door, await door.send({ site, key, role, ...what }), site);
}

/** `{"site": …, "hub": "all", "minutes": 30}`; 0 ends it. */
export async function regionOverrideAnswer(
  door: SendDoor,
  { body, role, name }: Wish,
): Promise<Response> {
  const { site, hub = 'all', minutes } = body;
  if (typeof site !== 'string' || !isHubOrAll(hub) || !isSpan(minutes)) {
    return problem(400, `Say {"site": …, "hub": "all", "minutes": 30}, at most ${MINUTES_MAX}.`);
  }
  const until = door.wallMs() + minutes * MINUTE_MS;
  const by = name === undefined ? 'the region' : `${name} at the region`;
  const set = { override_until: until, override_minutes: minutes, override_by: by };
  return sent(door, await door.send({ site, key: `control/${hub}`, set, role }), site);
}

/** `?site=&op=<origin>/<class>/<seq>`. */
export async function deliveryAnswer(door: SendDoor, url: URL): Promise<Response> {
  const { searchParams } = url;
  const delivery = await door.delivery(
    searchParams.get('site') ?? '',
    searchParams.get('op') ?? '',
  );
  return delivery === undefined
    ? problem(404, 'There is no such site, or the op has no such name.')
    : jsonAnswer(delivery);
}

function isKey(key: JsonValue | undefined): key is string {
  return typeof key === 'string' && key.length > 0 && key.length <= KEY_MAX;
}

function isNumbers(value: JsonValue | undefined): value is { readonly [key: string]: number } {
  return isObject(value) && Object.values(value).every((each) => Number.isSafeInteger(each));
}

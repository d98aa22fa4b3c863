/** Wishes of people at the regional node, as ops of the region that flow down to the hubs of a site. */
import type { CborValue } from '../codec/value.ts';
import { cborOfJson } from '../codec/json.ts';
import { opIdOfText, textOfOpId } from '../merge/op-id.ts';
import { encodeAdd, encodePatch, readAdd, readPatch, VALUE_DEPTH_MAX } from '../merge/patch.ts';
import { RECORD } from '../model/class.ts';
import { ROSTER_KEY } from '../hub/uplink/downlink.ts';
import { ADD, AUTHORITY, EVENT, type Kind, PATCH, REMOVE } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import { hasOp } from '../regional/downlink/downlink.ts';
import type { RegionalNode } from '../regional/regional-node.ts';
import type { SendDoor, SendWish } from '../status/region/send-door.ts';

/** The door of the node's HTTP to its way down. */
export function sendDoorOf(node: RegionalNode, wallMs: () => number): SendDoor {
  return {
    wallMs,
    send: async (wish) => {
      const change = changeOf(wish);
      if (change === undefined) return { refused: 'the fields are too many, too long, or none' };
      const { site, key, role } = wish;
      const authority = AUTHORITY[role];
      const op = await node.down.write(site, { class: RECORD, key, authority, ...change });
      if (op === undefined) return unknownSite(site);
      return { op: textOfOpId(op) };
    },
    sendRoster: async (site, body) => {
      const event = { class: RECORD, key: ROSTER_KEY, kind: EVENT, body } as const;
      const op = await node.down.write(site, { ...event, authority: AUTHORITY.operator });
      return op === undefined ? unknownSite(site) : { op: textOfOpId(op) };
    },
    delivery: async (siteName, op) => {
      const id = opIdOfText(op);
      const site = node.site(siteName);
      if (id === undefined || site === undefined) return undefined;
      const { link } = site.down;
      const hubs = (await site.storage.hubs()).map(({ hub }) => hub);
      const has: Origin[] = [];
      for (const hub of hubs) if (hasOp(await link.vectorOf(hub), id)) has.push(hub);
      return { has, waits: hubs.filter((hub) => !has.includes(hub)) };
    },
  };
}

function unknownSite(site: string): { readonly refused: string } {
  return { refused: `there is no site ${site} here` };
}

function changeOf({ set, add }: SendWish): { kind: Kind; body: Uint8Array } | undefined {
  if (set === undefined && add === undefined) return { kind: REMOVE, body: new Uint8Array(0) };
  try {
    if (add !== undefined) {
      const body = encodeAdd(add);
      return readAdd(body) === undefined ? undefined : { kind: ADD, body };
    }
    const fields = cborOfJson(set ?? {}, VALUE_DEPTH_MAX + 1) as ReadonlyMap<string, CborValue>;
    const body = encodePatch(Object.fromEntries(fields));
    return readPatch(body) === undefined ? undefined : { kind: PATCH, body };
  } catch {
    return undefined; // Values that CBOR does not have, such as halves of characters, or nested too deep.
  }
}

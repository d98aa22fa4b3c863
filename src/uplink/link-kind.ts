/**
 * Which kind of link carries the default route, by the kernel's own names: what a session over it costs
 * follows from that. `/proc/net/route` lists one route a line; the default one has destination 00000000.
 */
import { textOf } from '../base/bytes.ts';
import type { Files } from '../platform/files.ts';

export type DetectedLink = 'ethernet' | 'wifi' | 'cellular';

const ROUTES = '/proc/net/route';
const ANYWHERE = '00000000';
const CELLULAR = /^(wwan|ppp|rmnet|usb|cdc)/;

/** The kind of the default route with the least metric; cellular, the dearest, where none tells. */
export function detectLink(files: Pick<Files, 'read' | 'exists'>): DetectedLink {
  const table = textOf(files.read(ROUTES) ?? new Uint8Array()) ?? '';
  const defaults = table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter((fields) => fields[1] === ANYWHERE)
    .map((fields) => ({ name: fields[0] as string, metric: Number(fields[6]) }))
    .toSorted((a, b) => a.metric - b.metric);
  const name = defaults[0]?.name;
  if (name === undefined || CELLULAR.test(name)) return 'cellular';
  return files.exists(`/sys/class/net/${name}/wireless`) ? 'wifi' : 'ethernet';
}

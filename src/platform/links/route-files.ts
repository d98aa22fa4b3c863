/**
 * The kernel's routing tables as /proc shows them. `/proc/net/route` writes addresses in the machine's byte order, which
 * is little-endian wherever we run; `/proc/net/ipv6_route` writes plain hexadecimal. What is not a line of theirs is
 * skipped.
 */
import type { LinkRoute } from './links.ts';

const ROUTE_UP = 0x0001;
const ROUTE_REJECT = 0x0200;
const ANYWHERE_6 = '0'.repeat(32);
const ROUTES_MAX = 1_000;

/** Fields: Iface Destination Gateway Flags RefCnt Use Metric Mask … */
export function ipv4Routes(text: string): LinkRoute[] {
  return linesOf(text)
    .slice(1)
    .flatMap(([device, destination = '', , flags = '', , , metric, mask = '']) => {
      const network = littleEndian(destination);
      const bits = littleEndian(mask);
      if (device === undefined || network === undefined || bits === undefined) return [];
      if (!isUsable(flags)) return [];
      return [{ device, network, prefix: prefixOf(bits), metric: Number(metric) || 0 }];
    });
}

/** Fields: destination, its length, source, its length, next hop, metric, references, use, flags, device. */
export function ipv6Defaults(text: string): LinkRoute[] {
  return linesOf(text).flatMap(
    ([destination, length, , , , metric = '', , , flags = '', device]) => {
      const isDefault = destination === ANYWHERE_6 && length === '00';
      if (!isDefault || device === undefined || device === 'lo' || !isUsable(flags)) return [];
      return [{ device, network: 0, prefix: 0, metric: Number.parseInt(metric, 16) || 0 }];
    },
  );
}

function linesOf(text: string): string[][] {
  const lines = text.split('\n', ROUTES_MAX).filter((line) => line !== '');
  return lines.map((line) => line.trim().split(/\s+/));
}

function isUsable(flags: string): boolean {
  const bits = Number.parseInt(flags, 16);
  return (bits & ROUTE_UP) !== 0 && (bits & ROUTE_REJECT) === 0;
}

function littleEndian(hex: string): number | undefined {
  if (!/^[0-9A-F]{8}$/i.test(hex)) return undefined;
  const bytes = hex.match(/../g) as string[];
  return Number.parseInt(bytes.toReversed().join(''), 16);
}

function prefixOf(mask: number): number {
  let prefix = 0;
  for (let bit = 31; bit >= 0 && mask >= 2 ** bit; bit--) {
    prefix += 1;
    mask -= 2 ** bit;
  }
  return prefix;
}

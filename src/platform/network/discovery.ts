/**
 * Finding others on the local network by multicast DNS (RFC 6762, RFC 6763). What is found is a rumour: anybody on the
 * network can say anything, so an address is a place to try and nothing more.
 */

/** What this process says of itself. */
export interface Announcement {
  /** One label, at most 63 bytes, that nobody else has. */
  readonly name: string;
  readonly port: number;
  /** `key=value` pairs of the TXT record; together some hundred bytes. */
  readonly text: Readonly<Record<string, string>>;
}

export interface FoundService extends Announcement {
  /** IPv4 address that it was heard from. */
  readonly address: string;
}

export interface DiscoveryOptions {
  /** Such as `heliograph`, for `_heliograph._tcp.local`. */
  readonly type: string;
  /**
   * `lan`: every IPv4 network of this machine that can be local, also those that come later; `loopback`: this machine alone; or the
   * one network of an address.
   */
  readonly where: string;
  /** Undefined: it only listens. */
  readonly own?: Announcement | undefined;
  /** Told of each service that says something new. Our own is heard, too. */
  readonly onFound: (found: FoundService) => void;
  /** A network that cannot be used now; it is tried again. */
  readonly onError: (reason: string) => void;
}

export interface OpenDiscovery {
  /** Takes back what was announced. */
  close(): Promise<void>;
}

export interface Discovery {
  open(options: DiscoveryOptions): Promise<OpenDiscovery>;
}

export const LAN = 'lan';
export const LOOPBACK = 'loopback';
/** Longest value of a TXT record that is heeded. */
export const TEXT_BYTES_MAX = 200;

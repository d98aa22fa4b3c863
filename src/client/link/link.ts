/** The connection to a hub as the session needs it; mqtt-link.ts has the real one. */
export interface Link {
  /** QoS 0 is handed over and forgotten. */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1): void;
  close(): void;
}

/**
 * `refused`: the hub does not let this user in. `unavailable`: it is there, and has no room for anybody now. `untrusted`: whoever answers
 * does not prove to be the hub. `lost`: all else.
 */
export type DownCause = 'refused' | 'unavailable' | 'untrusted' | 'lost';

/** For `mqtts:` in Node; a browser has its own. PEM. */
export interface TlsTrust {
  /** Who vouches for the hub, where the system does not know it: the site's authority. */
  readonly ca?: string | undefined;
  /** In mode `enrolled`: who this device is. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface LinkHandlers {
  /** Connected, and subscribed to all that was asked for. */
  onUp(link: Link): void;
  onMessage(topic: string, payload: Uint8Array): void;
  onDown(reason: string, cause?: DownCause): void;
}

export interface LinkTarget {
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly filters: readonly string[];
  readonly tls?: TlsTrust | undefined;
}

/** Tries once; calls `onUp` or `onDown`, and `onDown` once more at the end. The function ends it. */
export type OpenLink = (target: LinkTarget, handlers: LinkHandlers) => () => void;

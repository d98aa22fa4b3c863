/** The connection to a hub as the session needs it; mqtt-link.ts has the real one. */
export interface Link {
  /** QoS 0 is handed over and forgotten. */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1): void;
  close(): void;
}

/** `refused`: the hub does not let this user in. `unavailable`: it is there, and has no room for anybody now. `lost`: all else. */
export type DownCause = 'refused' | 'unavailable' | 'lost';

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
}

/** Tries once; calls `onUp` or `onDown`, and `onDown` once more at the end. The function ends it. */
export type OpenLink = (target: LinkTarget, handlers: LinkHandlers) => () => void;

/** What a device is opened with, and what it says of itself. */
import type { Clock, Timers } from '../base/clock.ts';
import type { HubError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { Origin } from '../model/origin.ts';
import type { Notice } from '../protocol/notice-message.ts';
import type { Scope } from '../protocol/scope.ts';
import type { DownCause, OpenLink } from './link/link.ts';
import type { Contact } from './link/session.ts';
import type { DeviceStorage } from './storage/storage.ts';

export interface DeviceOptions {
  /** `mqtt://hub:1883` (Node), `ws://hub:8080/mqtt` (both). */
  readonly url: string;
  /** User of mode `password`; it is the device's name then. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Where the hub has its HTTP, for contents of assets: `http://hub:8080`; by default that of a `ws://` address. */
  readonly http?: string;
  /** Name in mode `open`, by default one drawn once and kept. */
  readonly name?: string;
  /** Which keys to hold: prefixes, or keys. By default everything that may be read; `none` only hands in. */
  readonly scope?: Scope | 'none';
  readonly onNotice?: (notice: Notice) => void;
  /**
   * Hears of what nobody waits for: what was typed into a document and cannot be handed in, and, when the device is opened, that a
   * part of what it kept is damaged (`client.log-damaged`).
   */
  readonly onTrouble?: (error: HubError) => void;
}

/** What a platform gives. */
export interface DevicePlatform {
  readonly storage: DeviceStorage;
  readonly openLink: OpenLink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Gets a path of the hub by HTTP: for contents of assets. */
  readonly fetchBytes?: ((path: string) => Promise<Uint8Array>) | undefined;
}

export interface DeviceStatus {
  readonly contact: Contact;
  /** Why there is no contact, or why the hub lets this device wait, for people. */
  readonly reason: string;
  /** The same for programs. */
  readonly cause: DownCause | undefined;
  /** Ops that the hub has not proven to have. */
  readonly pending: number;
  /** Why this device cannot keep what is made at the moment, or not any more (`client.storage-full`, `client.storage`). */
  readonly trouble: HubError | undefined;
  readonly name: string;
  readonly origin: Origin;
}

/** Whether nothing has changed. */
export function isSameStatus(a: DeviceStatus, b: DeviceStatus): boolean {
  const names = Object.keys(a) as (keyof DeviceStatus)[];
  return names.every((name) => a[name] === b[name]);
}

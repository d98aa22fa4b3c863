/** Devices with the SDK in this process, against real hubs. */

import { onTestFinished } from 'vitest';

import { hexOf } from '../../../src/base/bytes.ts';
import { connect, type Device, type NodeOptions } from '../../../src/client/node.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import { getJson } from './api.ts';
import type { RunningHub } from './hub.ts';

/** Opens a device; it is closed when the test ends. */
export async function openDevice(options: NodeOptions): Promise<Device> {
  const device = await connect(options);
  onTestFinished(() => device.close());
  return device;
}

/** Resolves when the device's status is as wanted. */
export function whenStatus(
  device: Device,
  isWanted: (status: Device['status']) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const state = { isOver: false };
    const stop = device.onStatus((status) => {
      if (state.isOver || !isWanted(status)) return;
      state.isOver = true;
      resolve();
    });
    if (state.isOver) stop();
  });
}

export function whenSettled(device: Device): Promise<void> {
  return whenStatus(device, ({ contact, pending }) => contact === 'live' && pending === 0);
}

export function digestOfDevice(device: Device): string {
  return hexOf(device.digest(sha256Hasher()).digest);
}

export interface HubDigest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

export function digestOfHub({ httpUrl }: Pick<RunningHub, 'httpUrl'>): Promise<HubDigest> {
  return getJson(`${httpUrl}api/v1/digest`);
}

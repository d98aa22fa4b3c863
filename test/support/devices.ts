/** Devices with the SDK in this process, against real hubs. */
import { createHash } from 'node:crypto';

import { onTestFinished } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { connect, type Device, type NodeOptions } from '../../src/client/node.ts';
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
  const hash = createHash('sha256');
  const { digest } = device.digest({
    update: (bytes) => void hash.update(bytes),
    finish: () => new Uint8Array(hash.digest()),
  });
  return hexOf(digest);
}

export interface HubDigest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

export async function digestOfHub({ httpUrl }: Pick<RunningHub, 'httpUrl'>): Promise<HubDigest> {
  const answer = await fetch(`${httpUrl}api/v1/digest`);
  return (await answer.json()) as HubDigest;
}

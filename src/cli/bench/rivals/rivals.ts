/** Whom the hub is measured against. */
import type { Files } from '../../../platform/files/files.ts';
import { BARE, type Contender } from '../contenders.ts';
import { mosquitto } from './mosquitto.ts';
import { nats } from './nats.ts';
import { rabbitmq } from './rabbitmq.ts';

export const RIVALS = ['mosquitto', 'rabbitmq', 'nats', 'bare'] as const;
export type RivalName = (typeof RIVALS)[number];

const CONTENDERS: Readonly<Record<RivalName, (files: Files) => Contender>> = {
  mosquitto,
  rabbitmq,
  nats,
  bare: () => BARE,
};

export function rival(name: RivalName, files: Files): Contender {
  return CONTENDERS[name](files);
}

/** Whom the hub is measured against. */
import type { Files } from '../../../platform/files/files.ts';
import { BARE, type Contender } from '../contenders.ts';
import { mosquitto } from './mosquitto.ts';
import { nats } from './nats.ts';
import { rabbitmq } from './rabbitmq.ts';

export const RIVALS: ReadonlyMap<string, (files: Files) => Contender> = new Map([
  ['mosquitto', mosquitto],
  ['rabbitmq', rabbitmq],
  ['nats', nats],
  ['bare', () => BARE],
]);

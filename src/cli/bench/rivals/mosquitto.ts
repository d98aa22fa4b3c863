/**
 * Mosquitto as Debian ships it, but for two limits that would make it throw messages away (queues are
 * unbounded here) and that anyone may come in. It keeps nothing on disk, or saves it now and then where it is to be
 * thrifty: either way its acknowledgement promises memory.
 */
import { utf8 } from '../../../base/bytes.ts';
import type { Files } from '../../../platform/files/files.ts';
import { freePort } from '../../../platform/network/load-socket.ts';
import { type Contender, HOST } from '../contenders.ts';
import { startRival } from './start-rival.ts';

export function mosquitto(files: Files): Contender {
  return {
    name: 'mosquitto',
    async start(dir, isThrifty = false) {
      const port = await freePort();
      const config = `${dir}/mosquitto.conf`;
      const lines = [`listener ${port} ${HOST}`, 'allow_anonymous true', 'max_queued_messages 0'];
      if (isThrifty) lines.push('persistence true', `persistence_location ${dir}/`);
      files.replace(config, utf8(`${lines.join('\n')}\nuser root\nlog_dest none\n`));
      return startRival({ name: 'mosquitto', args: ['-c', config], port });
    },
  };
}

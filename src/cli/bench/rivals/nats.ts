/**
 * NATS with MQTT on JetStream, told to sync after every write (`sync_interval: always`, from NATS 2.10 on): the broker whose
 * acknowledgement promises what ours does. It keeps a message only for someone who wants it: without a subscriber there
 * is nothing to sync, so the fair scenarios are `offline` and `live1`.
 */
import { utf8 } from '../../../base/bytes.ts';
import type { Files } from '../../../platform/files/files.ts';
import { freePort } from '../../../platform/network/load-socket.ts';
import { type Contender, HOST } from '../contenders.ts';
import { startRival } from './start-rival.ts';

/** What one client may have under way: as many as ours. */
const ACK_PENDING_MAX = 1_000;

export function nats(files: Files): Contender {
  return {
    name: 'nats',
    async start(dir) {
      const [clientPort, port] = [await freePort(), await freePort()];
      const config = `${dir}/nats.conf`;
      const lines = [
        `listen: "${HOST}:${clientPort}"`,
        'server_name: bench',
        `jetstream { store_dir: "${dir}/jetstream", sync_interval: always }`,
        `mqtt { listen: "${HOST}:${port}", max_ack_pending: ${ACK_PENDING_MAX} }`,
      ];
      files.replace(config, utf8(`${lines.join('\n')}\n`));
      return startRival({ name: 'nats-server', args: ['-c', config], port });
    },
  };
}

/**
 * RabbitMQ with its MQTT plugin and quorum queues, of one node: what waits for a subscriber is in a log that is synced before
 * the acknowledgement. As with NATS, what nobody wants is not kept: the fair scenarios are `offline` and `live1`.
 *
 * Everything it writes lies in the run's folder. It starts Erlang's port mapper, which would stay when it ends: it has one of its
 * own, on a port of its own, which is told to end.
 */
import { utf8 } from '../../../base/bytes.ts';
import type { Files } from '../../../platform/files/files.ts';
import { freePort, openLoadSocket } from '../../../platform/network/load-socket.ts';
import { type Contender, HOST } from '../contenders.ts';
import { startRival } from './start-rival.ts';

/** KILL_REQ of the port mapper's protocol, behind its length. */
const MAPPER_KILL = Uint8Array.of(0, 1, 0x6b);

export function rabbitmq(files: Files): Contender {
  return {
    name: 'rabbitmq',
    async start(dir) {
      const [port, nodePort, mapperPort] = [await freePort(), await freePort(), await freePort()];
      const [config, plugins] = [`${dir}/rabbitmq.conf`, `${dir}/plugins`];
      const advanced = `${dir}/advanced.config`;
      const lines = [
        'listeners.tcp = none',
        `mqtt.listeners.tcp.1 = ${HOST}:${port}`,
        'mqtt.allow_anonymous = true',
        'log.console = false',
      ];
      files.replace(config, utf8(`${lines.join('\n')}\n`));
      // Older versions take the type of queue only here.
      files.replace(advanced, utf8('[{rabbitmq_mqtt, [{durable_queue_type, quorum}]}].\n'));
      files.replace(plugins, utf8('[rabbitmq_mqtt].\n'));
      const env = {
        HOME: dir,
        RABBITMQ_NODENAME: `bench${port}@localhost`,
        RABBITMQ_CONFIG_FILE: config,
        RABBITMQ_ADVANCED_CONFIG_FILE: advanced,
        RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
        RABBITMQ_MNESIA_BASE: `${dir}/data`,
        RABBITMQ_LOG_BASE: `${dir}/log`,
        RABBITMQ_DIST_PORT: `${nodePort}`,
        ERL_EPMD_PORT: `${mapperPort}`,
        ERL_EPMD_ADDRESS: HOST,
        // Its start script becomes the broker, so that the process that we started is the one to measure and to end.
        RUNNING_UNDER_SYSTEMD: 'true',
      };
      const running = await startRival({ name: 'rabbitmq-server', args: [], env, port });
      const stop = async (): Promise<void> => {
        await running.stop();
        await endMapper(mapperPort);
      };
      return { ...running, stop };
    },
  };
}

async function endMapper(port: number): Promise<void> {
  let hasEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (hasEnded = resolve));
  const nothing = (): void => undefined;
  const line = { host: HOST, port, onData: nothing, onDrain: nothing, onClose: hasEnded };
  try {
    (await openLoadSocket(line)).write(MAPPER_KILL);
  } catch {
    return; // It went with its only node.
  }
  await ended;
}

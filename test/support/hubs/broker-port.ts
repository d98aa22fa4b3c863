/** A broker on real sockets: TCP, TLS and WebSocket, with a door that takes a turn of the event loop to sync. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

import { onTestFinished } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { Broker } from '../../../src/broker/broker.ts';
import type { Gatekeeper, Lsn, PublishDoor } from '../../../src/broker/contract.ts';
import type { BrokerLimits } from '../../../src/broker/limits.ts';
import { MachineClock, machineTimers } from '../../../src/platform/clock.ts';
import { machineNetwork } from '../../../src/platform/network/machine-network.ts';
import { webSocketUpgrades } from '../../../src/platform/network/http/websocket.ts';
import { TLS_CERT, TLS_KEY } from '../machine/tls-fixture.ts';

export interface BrokerPorts {
  readonly broker: Broker;
  readonly tcp: number;
  readonly tls: number;
  readonly webSocket: number;
}

/** Group commit without a disk: what came in one turn is durable in the next but one. */
function turnDoor(): PublishDoor {
  let lsn: Lsn = 0;
  let isSyncing = false;
  let listener: (durableLsn: Lsn) => void = () => undefined;
  return {
    admit: () => {
      lsn += 1;
      if (!isSyncing) {
        isSyncing = true;
        setImmediate(() =>
          setImmediate(() => {
            isSyncing = false;
            listener(lsn);
          }),
        );
      }
      return { kind: 'journaled', lsn };
    },
    onDurable: (added) => {
      listener = added;
    },
    durableLsn: 0,
    saturated: false,
    fault: undefined,
  };
}

const OPEN: Gatekeeper = {
  authenticate: ({ clientId, username = 'anyone', password }) => {
    const isWrong = password !== undefined && Buffer.from(password).toString() !== 'right';
    return Promise.resolve(isWrong ? undefined : { name: username, role: 'device', clientId });
  },
  mayPublish: () => true,
  mayRead: (_principal, filter) => !filter.startsWith('secret/'),
  revision: 0,
};

/** Opens a broker on free ports of this machine; it ends with the test that calls this. */
export async function openBroker(limits: Partial<BrokerLimits> = {}): Promise<BrokerPorts> {
  const broker = Broker.open({
    door: turnDoor(),
    gatekeeper: OPEN,
    clock: new MachineClock(),
    timers: machineTimers,
    log: SILENT_LOG,
    limits,
    version: 'heliograph test',
  });
  const host = '127.0.0.1';
  const options = { host, port: 0, purpose: 'test', connectionsMax: 2000 };
  const tls = { key: Buffer.from(TLS_KEY), cert: Buffer.from(TLS_CERT) };
  const plain = await machineNetwork.listen(options, (connection) => broker.accept(connection));
  const secure = await machineNetwork.listen({ ...options, tls }, (connection) =>
    broker.accept(connection),
  );
  const http = createServer();
  http.on(
    'upgrade',
    webSocketUpgrades({ connectionsMax: 100, messageBytesMax: 1 << 20 }, (connection) =>
      broker.accept(connection),
    ),
  );
  http.listen(0, host);
  await once(http, 'listening');
  onTestFinished(async () => {
    await broker.close();
    http.close();
    await Promise.all([plain.close(), secure.close()]);
  });
  const webSocket = (http.address() as AddressInfo).port;
  return { broker, tcp: plain.port, tls: secure.port, webSocket };
}

/** A bare connection to a port of this machine, for as long as the test. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/**
 * What a device with the SDK hands in goes into the journal; and its events are messages, which whoever has subscribed at this
 * hub hears as if they had been published: once they are durable, each once, kept sessions after a crash as well.
 */
import type { Broker } from '../../broker/broker.ts';
import type { OpsFrom } from '../../ingest/door/device-ops.ts';
import type { Door } from '../../ingest/door/door.ts';
import type { OpsOutcome } from '../../ingest/door/ops-message.ts';

export function passingOn(
  door: Pick<Door, 'acceptOps'>,
  broker: Pick<Broker, 'passOn'>,
): (message: Uint8Array, from: OpsFrom) => OpsOutcome {
  return (message, from) => {
    const outcome = door.acceptOps(message, from);
    for (const { topic, payload, lsn } of outcome.messages) broker.passOn(topic, payload, lsn);
    return outcome;
  };
}

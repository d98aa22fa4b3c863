/**
 * Server-sent events (HTML standard §9.2) with limits: so many streams at once, and a reader that does not
 * keep up loses its stream instead of our memory; browsers come back by themselves.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { utf8 } from '../../base/bytes.ts';

interface EventSink {
  send(event: Uint8Array): void;
}

/** An event on the wire, with `data` as JSON: made once, however many streams it goes to. */
export function eventOf(name: string, data: unknown): Uint8Array {
  return utf8(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** What all streams hear at the same moment: asked for once a period, while there are any. */
export class SharedEvent {
  readonly #timers: Timers;
  readonly #periodMs: number;
  readonly #next: () => Uint8Array;
  readonly #sinks = new Set<EventSink>();
  #stop: Cancel | undefined;

  constructor(timers: Timers, periodMs: number, next: () => Uint8Array) {
    this.#timers = timers;
    this.#periodMs = periodMs;
    this.#next = next;
  }

  /** One event at once, then with the others. */
  join(sink: EventSink): Cancel {
    sink.send(this.#next());
    this.#sinks.add(sink);
    this.#stop ??= this.#timers.every(this.#periodMs, () => {
      const event = this.#next();
      for (const each of this.#sinks) each.send(event);
    });
    return () => {
      this.#sinks.delete(sink);
      if (this.#sinks.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }
}

const STREAMS_MAX = 32;
const WAITING_BYTES_MAX = 1 << 20;
/** Proxies and phones drop a connection that is silent for longer. */
const HEARTBEAT_MS = 15_000;
const RETRY_MS = 3000;

export class EventStreams {
  readonly #timers: Timers;
  readonly #closers = new Set<() => void>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get count(): number {
    return this.#closers.size;
  }

  /** A response that lives until its reader goes, or undefined where too many are open. `start` returns its end. */
  open(start: (sink: EventSink) => Cancel): Response | undefined {
    if (this.#closers.size >= STREAMS_MAX) return undefined;
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: WAITING_BYTES_MAX });
    let close: (() => void) | undefined;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          close = this.#run(controller, start);
        },
        cancel: () => close?.(),
      },
      strategy,
    );
    return new Response(body, {
      headers: { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store' },
    });
  }

  closeAll(): void {
    for (const close of this.#closers) close();
  }

  #run(
    controller: ReadableStreamDefaultController<Uint8Array>,
    start: (sink: EventSink) => Cancel,
  ): () => void {
    let isOpen = true;
    const cancels: Cancel[] = [];
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      for (const cancel of cancels) cancel();
      this.#closers.delete(close);
      try {
        controller.close();
      } catch {
        // The reader has cancelled it already.
      }
    };
    const send = (bytes: Uint8Array): void => {
      if (!isOpen) return;
      if ((controller.desiredSize ?? 0) <= 0) return close();
      controller.enqueue(bytes);
    };
    this.#closers.add(close);
    send(utf8(`retry: ${RETRY_MS}\n\n`));
    cancels.push(
      this.#timers.every(HEARTBEAT_MS, () => send(utf8(': still here\n\n'))),
      start({ send }),
    );
    if (!isOpen) for (const cancel of cancels) cancel();
    return close;
  }
}

/**
 * MQTT sessions of this machine, over MQTT.js (MQTT 3.1.1, clean sessions). One connect is one session: the
 * library's own reconnecting is off, because when to try again is a question of energy, not of the network.
 *
 * The library is loaded at the first connect: it takes 18 MB and a fifth of a second, which a hub without an
 * uplink never needs, and one with an uplink not before its devices are served.
 *
 * TLS sessions are resumed: the newest ticket of each upstream is kept in memory and offered, which spares the
 * certificates (2 to 4 KB) and, for the other side, the signature. A ticket that is refused costs nothing.
 *
 * The library has no limit for what it gathers, so the lengths of packets are watched beside it.
 *
 * MQTT.js forgets publishes that wait for their PUBACK when the stream closes without an end of ours; every
 * wait here ends with the session.
 */
import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';

import type { IClientOptions, MqttClient as Library } from 'mqtt';

import { HubError, messageOf } from '../../base/errors.ts';
import { PacketGuard } from './packet-guard.ts';
import type {
  MqttClient,
  MqttSession,
  MqttSessionHandlers,
  MqttSessionOptions,
} from './mqtt-client.ts';

/** CONNACK return codes that speak of the login [MQTT-3.2.2-4]: bad user name or password, not authorised. */
const LOGIN_REFUSALS: ReadonlySet<unknown> = new Set([4, 5]);
/** Upstreams whose tickets are kept. */
const TICKETS_MAX = 8;
const SUBACK_FAILURE = 0x80;
/** How the first packet of a broker begins [MQTT-3.2]. */
const CONNACK = 0x20;
/** What OpenSSL says where the other side answers a TLS greeting without TLS. */
const NO_TLS = /wrong version number/i;
const NO_BROKER = 'what answers is no MQTT broker: a captive portal, or another service';
/** What the library says of a login that takes too long, wherever it hangs. */
const LIBRARY_TIMEOUT = 'connack timeout';
const CLOSE_MS_MAX = 2_000;
/** Twice what the broker of a hub takes: nothing of ours comes near it. */
const PACKET_BYTES_MAX = 2 << 20;

export const machineMqttClient: MqttClient = {
  connect: async (options, handlers) => {
    const library = await openLibrary(options);
    keepTickets(options, library);
    const silence = silenceOf(library, options);
    const tongue = tongueOf(library);
    const lineBytes = lineBytesOf(library);
    return new Promise((resolve, reject) => {
      const session = new MachineMqttSession(library, handlers, options);
      let isDecided = false;
      const refuse = (error: unknown): void => {
        if (isDecided) return;
        isDecided = true;
        handlers.onVain?.(lineBytes());
        library.end(true);
        const isSilent = error instanceof Error && error.message === LIBRARY_TIMEOUT;
        reject(connectFault(options.url, isSilent ? silence() : tongue(error)));
      };
      library.once('connect', () => {
        if (isDecided) return;
        isDecided = true;
        session.begin();
        resolve(session);
      });
      // The listener stays: an error after the connect ends in `close`, which tells the owner.
      library.on('error', refuse);
      library.once('close', () => refuse(new Error('closed before the broker answered')));
    });
  },
};

async function openLibrary(options: MqttSessionOptions): Promise<Library> {
  const { default: mqtt } = await import('mqtt');
  const settings: IClientOptions = {
    clientId: options.clientId,
    keepalive: options.keepaliveS,
    connectTimeout: options.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // It would keep a buffer for each of the 65,536 packet identifiers.
    writeCache: false,
    clean: true,
    protocolVersion: 4,
  };
  if (options.username !== undefined) settings.username = options.username;
  if (options.password !== undefined) settings.password = options.password;
  if (options.ca !== undefined) settings.ca = Buffer.from(options.ca);
  const { refuseBroker } = options;
  // A resumed session is not checked again, and who is known by more than a name must be.
  const session = refuseBroker === undefined ? tickets.get(ticketKey(options)) : undefined;
  // The library hands on to node:tls what it does not know itself.
  if (session !== undefined) Object.assign(settings, { session });
  if (options.certificate !== undefined) {
    settings.cert = Buffer.from(options.certificate.cert);
    settings.key = Buffer.from(options.certificate.key);
  }
  if (refuseBroker !== undefined) {
    // The library hands it to `tls.connect`, though its types do not say so.
    Object.assign(settings, {
      checkServerIdentity: (_host: string, { raw }: PeerCertificate) => {
        const reason = refuseBroker(new Uint8Array(raw));
        return reason === undefined ? undefined : new Error(reason);
      },
    });
  }
  if (options.will !== undefined) {
    const { topic, payload, retain } = options.will;
    settings.will = { topic, payload: Buffer.from(payload), retain, qos: 1 };
  }
  return mqtt.connect(options.url, settings);
}

/** By upstream and by what is trusted there: a ticket says that the certificate was checked against that. */
const tickets = new Map<string, Buffer>();

function ticketKey({ url, ca }: MqttSessionOptions): string {
  return `${url} ${ca === undefined ? '' : Buffer.from(ca).toString('base64')}`;
}

function keepTickets(options: MqttSessionOptions, library: Library): void {
  library.stream.on('session', (ticket: Buffer) => {
    if (tickets.size >= TICKETS_MAX) tickets.clear();
    tickets.set(ticketKey(options), ticket);
  });
}

/** Who was silent, for a login that took too long: who mends it has to know where to look. */
function silenceOf(
  { stream }: Library,
  { url, connectTimeoutMs }: MqttSessionOptions,
): () => Error {
  const isAddress = isIP(new URL(url).hostname.replace(/^\[|\]$/g, '')) !== 0;
  const away = 'nothing takes the connection there';
  let who = isAddress ? away : 'DNS does not answer for this name';
  stream.once('lookup', () => (who = away));
  stream.once('connect', () => (who = 'it takes the connection and says nothing'));
  return () => new Error(`no answer in ${connectTimeoutMs / 1_000} s: ${who}`);
}

/** What is said in another language than MQTT, or than TLS, shows as nonsense of a packet: then it is told as what it is. */
function tongueOf({ stream }: Library): (error: unknown) => unknown {
  let isForeign = false;
  // Before the library, which throws at once.
  stream.prependOnceListener('data', (bytes: Uint8Array) => {
    isForeign = bytes[0] !== CONNACK;
  });
  return (error) => (isForeign || NO_TLS.test(messageOf(error)) ? new Error(NO_BROKER) : error);
}

function connectFault(url: string, error: unknown): HubError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const fault = LOGIN_REFUSALS.has(code)
    ? 'uplink.refused'
    : isCertificateFault(code)
      ? 'uplink.untrusted'
      : 'uplink.unreachable';
  return new HubError(fault, `${withoutLogin(url)}: ${messageOf(error)}`, error);
}

/** What the broker grants; where it refuses one, the library has the answer in its error. */
function grantedIn(
  error: Error | null,
  granted: readonly { readonly qos: number }[] | undefined,
): readonly number[] {
  const { packet } = (error ?? {}) as { packet?: { granted?: readonly number[] } };
  return packet?.granted ?? granted?.map(({ qos }) => qos) ?? [];
}

function netClosed(error: Error): HubError {
  return new HubError('net.closed', error.message, error);
}

/** What OpenSSL and Node say of a certificate: `CERT_HAS_EXPIRED`, `SELF_SIGNED_CERT_IN_CHAIN`, `ERR_TLS_CERT_ALTNAME_INVALID` … */
function isCertificateFault(code: unknown): boolean {
  return typeof code === 'string' && /CERT|UNABLE_TO_VERIFY/.test(code);
}

function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

class MachineMqttSession implements MqttSession {
  readonly #library: Library;
  readonly #handlers: MqttSessionHandlers;
  readonly #options: MqttSessionOptions;
  readonly #waiting = new Set<(error: HubError) => void>();
  #isOpen = false;
  #closing: Promise<void> | undefined;
  /** Kept, since a socket that was closed does not say any more. */
  isResumed = false;
  #line: Counts | undefined;
  #payloadOut = 0;
  #payloadIn = 0;
  /** Why we end it, where that is not for our owner's sake. */
  #why: string | undefined;

  constructor(library: Library, handlers: MqttSessionHandlers, options: MqttSessionOptions) {
    this.#library = library;
    this.#handlers = handlers;
    this.#options = options;
    this.#guard();
    let handled: void | Promise<void>;
    library.on('message', (topic, payload) => {
      this.#payloadIn += topic.length + payload.length;
      handled = this.#isOpen ? handlers.onMessage(topic, new Uint8Array(payload)) : undefined;
    });
    // Called after the listeners above; what comes next, and the PUBACK, wait for `done`.
    library.handleMessage = (_packet, done) => {
      // A handler that returns something else does not want to be waited for.
      if (!(handled instanceof Promise)) return done();
      const answer = (): void => done();
      handled.then(answer, answer);
    };
  }

  /** Ends the connection where the broker announces more than we gather. */
  #guard(): void {
    const { stream } = this.#library;
    const guard = new PacketGuard(PACKET_BYTES_MAX);
    stream.on('data', (bytes: Uint8Array) => {
      const length = this.#why === undefined ? guard.take(bytes) : undefined;
      if (length === undefined) return;
      this.#why = `the broker sends a packet of ${length} bytes, more than ${PACKET_BYTES_MAX}`;
      stream.destroy(new Error(this.#why));
    });
  }

  /** The broker has accepted us. */
  begin(): void {
    this.#isOpen = true;
    this.isResumed = isSessionReused(this.#library);
    this.#line = lineBelow(this.#library);
    this.#library.once('close', () => {
      const byOther = this.#why ?? 'connection closed';
      this.#ended(this.#closing === undefined ? byOther : 'closed by us');
    });
  }

  publish(
    topic: string,
    payload: Uint8Array,
    options: { qos: 0 | 1; retain?: boolean },
  ): Promise<void> {
    this.#payloadOut += topic.length + payload.length;
    return this.#whileOpen((done) => {
      const settings = { qos: options.qos, retain: options.retain ?? false };
      this.#library.publish(topic, Buffer.from(payload), settings, (error) => done(error));
    });
  }

  subscribe(filters: readonly string[]): Promise<void> {
    const { connectTimeoutMs } = this.#options;
    const what = `${withoutLogin(this.#options.url)}: the subscription to ${filters.join(', ')}`;
    return this.#whileOpen((done) => {
      const silent = new HubError('uplink.unreachable', `${what} is not answered`);
      const giveUp = setTimeout(() => done(silent), connectTimeoutMs);
      this.#library.subscribe([...filters], { qos: 1 }, (error, granted) => {
        clearTimeout(giveUp);
        const isRefused = grantedIn(error, granted).includes(SUBACK_FAILURE);
        done(isRefused ? new HubError('uplink.refused', `${what} is refused`) : error);
      });
    });
  }

  get bytesOut(): number {
    return this.#counted('bytesWritten') ?? this.#payloadOut;
  }

  get bytesIn(): number {
    return this.#counted('bytesRead') ?? this.#payloadIn;
  }

  /** What the socket has counted; WebSocket streams do not say. Under TLS that is what went into it, so the line below counts. */
  #counted(name: 'bytesRead' | 'bytesWritten'): number | undefined {
    const value = (this.#line ?? (this.#library.stream as unknown as Counts))[name];
    return typeof value === 'number' ? value : undefined;
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(giveUp);
        this.#ended('closed by us');
        resolve();
      };
      // A graceful end waits for acknowledgements, which a dead link never brings.
      const giveUp = setTimeout(() => {
        this.#library.stream.destroy();
        finish();
      }, CLOSE_MS_MAX);
      this.#library.end(!this.#isOpen, finish);
    });
    return this.#closing;
  }

  /** Runs an operation whose wait ends with the session. */
  #whileOpen(start: (done: (error: Error | null | undefined) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        reject(new HubError('net.closed', 'the session has ended'));
        return;
      }
      this.#waiting.add(reject);
      start((error) => {
        this.#waiting.delete(reject);
        if (error === null || error === undefined) resolve();
        else reject(error instanceof HubError ? error : netClosed(error));
      });
    });
  }

  #ended(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(new HubError('net.closed', reason));
    this.#library.end(true);
    this.#handlers.onClose(reason);
  }
}

interface Counts {
  readonly bytesRead?: unknown;
  readonly bytesWritten?: unknown;
}

/** What the line has carried so far, also of a login that failed: TLS may have cost kilobytes by then. */
function lineBytesOf(library: Library): () => number {
  const { stream } = library;
  let line: Counts | undefined;
  // Not before: what only waits for a line counts as written, and where a name has several addresses, Node takes a line for each.
  stream.once('connect', () => (line = lineBelow(library) ?? (stream as unknown as Counts)));
  return () => countOf(line?.bytesRead) + countOf(line?.bytesWritten);
}

function countOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** The TCP line below TLS, as Node holds it: its `_handle` forgets it at the end. Undefined for any other stream. */
function lineBelow(library: Library): Counts | undefined {
  const { stream } = library as unknown as { stream?: { _handle?: { _parent?: Counts } | null } };
  const { _handle: handle } = stream ?? {};
  const { _parent: line } = handle ?? {};
  return line;
}

function isSessionReused(library: Library): boolean {
  const { stream } = library as unknown as { stream?: { isSessionReused?(): boolean } };
  return stream?.isSessionReused?.() ?? false;
}

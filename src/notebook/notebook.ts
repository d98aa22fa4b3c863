/**
 * The notebook at `/notebook`: work orders that a team shares, on phones that are in contact with their hub now and
 * then. All of it is the SDK: this page shows what the device has, and makes what people do.
 */
import { connect } from '../client/browser.ts';
import { type Device, type DeviceStatus, HubError, type RecordRow } from '../client/index.ts';
import { byId, make, show, showMore } from './dom.ts';
import { ORDERS, OrderCard, STATES, textOf } from './order-card.ts';

const SCOPE = { prefixes: ['orders/', 'notes/'], keys: [] };
const ID_LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const ID_LENGTH = 10;
const KEPT_LOGIN = 'heliograph-login';
const WORDS: Readonly<Record<DeviceStatus['contact'], string>> = {
  offline: 'offline',
  connecting: 'offline',
  'catching up': 'catching up',
  live: 'in contact',
  closed: 'closed',
};

/** Orders that are listed at first, and that one tap adds: a phone takes seconds to lay out thousands. */
const LISTED = 100;

const NARROW = window.matchMedia('(max-width: 46rem)');

/** What a list without orders says. */
const NONE: Readonly<Record<string, string>> = {
  all: 'Nothing here yet.',
  unfinished: 'Nothing left to do.',
  conflicts: 'Nothing is in conflict.',
};

/** Where a person can do something, and the message does not say it. */
const HINTED: ReadonlySet<string> = new Set([
  'client.storage',
  'client.storage-full',
  'client.outbox-full',
]);

/** What keeps this browser from keeping anything; its word goes when there is room again. */
let trouble: string | undefined;

interface Login {
  readonly username: string;
  readonly password: string;
}

class Notebook {
  readonly #device: Device;
  #rows: readonly RecordRow[] = [];
  #shown = 'all';
  #listed = LISTED;
  /** How far the list was scrolled when an order was opened. */
  #listTop = 0;
  #card: OrderCard | undefined;

  private constructor(device: Device) {
    this.#device = device;
  }

  /** Shows what the device has, from now on. */
  static show(device: Device): void {
    const notebook = new Notebook(device);
    notebook.#start();
  }

  #start(): void {
    this.#device.observe({ prefix: ORDERS, compare: newestFirst }, (rows) => {
      this.#rows = rows;
      this.#list();
    });
    byId('new-order').addEventListener('submit', (event) => this.#add(event));
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-show]')) {
      button.addEventListener('click', () => this.#filter(button.dataset['show'] ?? 'all'));
    }
    byId('more').addEventListener('click', () => {
      this.#listed += LISTED;
      this.#list();
    });
    window.addEventListener('hashchange', () => this.#open());
    document.addEventListener('keydown', (event) => this.#key(event));
    show(byId('desk'), true);
    this.#open();
  }

  #list(): void {
    const rows = this.#rows.filter((row) => this.#isShown(row));
    const current = currentKey();
    const listed = rows.slice(0, this.#listed);
    byId('orders').replaceChildren(...listed.map((row) => itemOf(row, row.key === current)));
    showMore(byId('more'), rows.length - listed.length);
    byId('none').textContent = NONE[this.#shown] ?? '';
    show(byId('none'), rows.length === 0);
    const clashes = this.#rows.filter(({ conflicts }) => conflicts > 0).length;
    byId('show-conflicts').textContent = clashes === 0 ? 'Conflicts' : `Conflicts (${clashes})`;
  }

  #isShown({ fields, conflicts }: RecordRow): boolean {
    if (this.#shown === 'conflicts') return conflicts > 0;
    return this.#shown === 'all' || fields['state'] !== 'done';
  }

  #filter(which: string): void {
    this.#shown = which;
    this.#listed = LISTED;
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-show]')) {
      button.setAttribute('aria-pressed', String(button.dataset['show'] === which));
    }
    this.#list();
  }

  #add(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const title = new FormData(form).get('title');
    if (typeof title !== 'string' || title.trim() === '') return;
    const key = ORDERS + newId();
    untellTrouble();
    try {
      this.#device
        .record(key)
        .set({ title: title.trim(), state: 'open', made: new Date().toISOString() })
        .then(undefined, tellTrouble);
    } catch (error) {
      tellTrouble(error);
      return;
    }
    form.reset();
    window.location.hash = hashOf(key);
  }

  #open(): void {
    const key = currentKey();
    if (this.#card === undefined) this.#listTop = window.scrollY;
    this.#card?.close();
    this.#card = undefined;
    const card = byId('order');
    show(card, key !== '');
    byId('desk').classList.toggle('reading', key !== '');
    if (key !== '') {
      const onLeave = (): void => {
        window.location.hash = '';
      };
      const told = { onTrouble: tellTrouble, onWork: untellTrouble };
      const options = { device: this.#device, key, card, onLeave, ...told };
      this.#card = new OrderCard(options);
    }
    this.#list();
    // Where one stands in place of the other, an order begins at its title, and the list where it was left.
    if (NARROW.matches) window.scrollTo(0, key === '' ? this.#listTop : 0);
  }

  #key(event: KeyboardEvent): void {
    const isTyping = (event.target as HTMLElement).matches('input, select, textarea');
    if (event.key === 'Escape') {
      if (isTyping) (event.target as HTMLElement).blur();
      else window.location.hash = '';
    }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'n') {
      event.preventDefault();
      window.location.hash = '';
      byId('new-order').querySelector('input')?.focus();
    }
    if (event.key === 'j') this.#step(1);
    if (event.key === 'k') this.#step(-1);
  }

  #step(by: number): void {
    const keys = this.#rows.filter((row) => this.#isShown(row)).map(({ key }) => key);
    const at = keys.indexOf(currentKey());
    const next = keys[at < 0 ? 0 : Math.min(keys.length - 1, Math.max(0, at + by))];
    if (next !== undefined) window.location.hash = hashOf(next);
  }
}

function itemOf(row: RecordRow, isCurrent: boolean): HTMLElement {
  const { key, fields, conflicts, pending } = row;
  const state = textOf(fields['state'] ?? 'open');
  const who = textOf(fields['who'] ?? '');
  const marks = [
    ...(who === '' ? [] : [who]),
    ...(conflicts > 0 ? [make('span', { class: 'clash' }, 'conflict')] : []),
    ...(pending > 0 ? ['waits for the hub'] : []),
  ].flatMap((mark, at) => (at > 0 ? [' · ', mark] : [mark]));
  return make(
    'li',
    {},
    make(
      'a',
      { href: hashOf(key), 'aria-current': String(isCurrent) },
      make('span', { class: 'title' }, textOf(fields['title'] ?? key)),
      make('span', { class: `state ${state}` }, STATES[state] ?? state),
      make('span', { class: 'marks quiet' }, ...marks),
    ),
  );
}

function newestFirst(a: RecordRow, b: RecordRow): number {
  const [first, second] = [textOf(a.fields['made'] ?? ''), textOf(b.fields['made'] ?? '')];
  return first === second ? (a.key < b.key ? -1 : 1) : first < second ? 1 : -1;
}

function hashOf(key: string): string {
  return `#${encodeURI(key)}`;
}

/** The order that the address names; empty where it names none. */
function currentKey(): string {
  try {
    const key = decodeURIComponent(window.location.hash.slice(1));
    return key.startsWith(ORDERS) ? key : '';
  } catch {
    return '';
  }
}

function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_LENGTH));
  return Array.from(bytes, (byte) => ID_LETTERS[byte % ID_LETTERS.length]).join('');
}

function tellTrouble(reason: unknown): void {
  const place = byId('trouble');
  const message = reason instanceof Error ? reason.message : String(reason);
  place.textContent =
    reason instanceof HubError && HINTED.has(reason.code) ? `${message}. ${reason.hint}` : message;
  show(place, true);
}

/** Somebody does something new: what was told of the step before has been read. What lasts, stays. */
function untellTrouble(): void {
  if (trouble === undefined) show(byId('trouble'), false);
}

function tellStatus(status: DeviceStatus): void {
  const { contact, pending, reason, cause } = status;
  if (status.trouble?.message !== trouble) {
    trouble = status.trouble?.message;
    if (status.trouble === undefined) show(byId('trouble'), false);
    else tellTrouble(status.trouble);
  }
  // The hub is there, and its journal is not writable, or nobody else has room.
  const isAway = cause === 'unavailable';
  const badge = byId('contact');
  badge.textContent = isAway ? 'no room' : WORDS[contact];
  show(byId('why'), isAway);
  const look = contact === 'live' ? 'live' : contact === 'catching up' ? '' : 'offline';
  badge.className = `contact ${look}`;
  badge.title = reason;
  const waiting = byId('waiting');
  waiting.textContent = pending === 1 ? '1 waits' : `${pending} wait`;
  waiting.title = 'Kept in this browser, not yet on the hub';
  show(waiting, pending > 0);
}

/** Whether the hub asks who comes in; where it does not answer, what was true last time. */
async function asksForUser(): Promise<boolean> {
  try {
    // Without credentials, so that the browser does not ask in a window of its own.
    const answer = await fetch('api/v1/status', { credentials: 'omit' });
    return answer.status === 401;
  } catch {
    return sessionStorage.getItem(KEPT_LOGIN) !== null;
  }
}

async function start(): Promise<void> {
  const device = await connect({ scope: SCOPE, onTrouble: tellTrouble });
  Notebook.show(device);
  device.onStatus(tellStatus);
}

/** Shows the notebook once the hub lets the user in; asks again where it does not. */
async function enter(login: Login): Promise<void> {
  const device = await connect({ scope: SCOPE, onTrouble: tellTrouble, ...login });
  if (await isLetIn(device)) {
    sessionStorage.setItem(KEPT_LOGIN, JSON.stringify(login));
    show(byId('login'), false);
    Notebook.show(device);
    device.onStatus((status) => {
      tellStatus(status);
      if (status.cause === 'refused')
        tellTrouble('The hub does not let you in any more: load the page anew.');
    });
    return;
  }
  sessionStorage.removeItem(KEPT_LOGIN);
  // The next try is another device on the same storage.
  await device.close();
  askWho('That was not right. Once more, please.');
}

/** Resolves when the hub has said yes or no; as long as it does not answer, the page waits for it. */
function isLetIn(device: Device): Promise<boolean> {
  return new Promise((resolve) => {
    let isOver = false;
    device.onStatus((status) => {
      // What a device that was refused says from now on is nobody's business.
      if (isOver) return;
      tellStatus(status);
      const isIn = status.contact === 'live' || status.contact === 'catching up';
      if (!isIn && status.cause !== 'refused') return;
      isOver = true;
      resolve(isIn);
    });
  });
}

function askWho(word?: string): void {
  const form = byId('login') as HTMLFormElement;
  if (word !== undefined) byId('login-word').textContent = word;
  show(form, true);
  form.querySelector('input')?.focus();
  form.addEventListener(
    'submit',
    (event) => {
      event.preventDefault();
      const data = new FormData(form);
      const [username, password] = [data.get('username'), data.get('password')];
      if (typeof username !== 'string' || typeof password !== 'string') return;
      byId('login-word').textContent = 'The hub is asked …';
      enter({ username, password }).catch(tellTrouble);
    },
    { once: true },
  );
}

async function open(): Promise<void> {
  if (!(await asksForUser())) return start();
  const kept = sessionStorage.getItem(KEPT_LOGIN);
  if (kept === null) askWho();
  else await enter(JSON.parse(kept) as Login);
}

open().catch(tellTrouble);

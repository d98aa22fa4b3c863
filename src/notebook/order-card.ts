/** One work order: its fields, its shared notes, what is in conflict, and every step, to be taken back. */
import * as Y from 'yjs';

import {
  type Device,
  type HistoryEntry,
  HubError,
  type RecordRow,
  type SeenConflict,
  type Value,
} from '../client/index.ts';
import { make, show, showMore, timeText } from './dom.ts';
import { fit, lineField } from './line-field.ts';
import { bindText } from './text-binding.ts';

export const ORDERS = 'orders/';
const NOTES = 'notes/';
export const STATES: Readonly<Record<string, string>> = {
  open: 'open',
  working: 'in work',
  waiting: 'waiting',
  done: 'done',
};
const LABELS: Readonly<Record<string, string>> = {
  title: 'Title',
  state: 'State',
  who: 'Who',
  due: 'Due',
  where: 'Where',
};
/** When it was made: a step says that itself. */
const MADE = 'made';
const SURE = 'Tap again: it goes for everybody';
const BUILT_ON = 'Tap again: later steps build on it, and go too';
/** Steps that are listed at first, and that one tap adds. */
const LISTED = 30;

type FieldInput = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface OrderCardOptions {
  readonly device: Device;
  readonly key: string;
  readonly card: HTMLElement;
  readonly onLeave: () => void;
  /** Tells why something was not done. */
  readonly onTrouble: (reason: unknown) => void;
  /** Something is about to be done. */
  readonly onWork: () => void;
}

interface Begun {
  readonly before: string;
  readonly edit: ReturnType<ReturnType<Device['record']>['edit']>;
}

/** Shows an order and keeps it up to date. */
export class OrderCard {
  readonly #options: OrderCardOptions;
  readonly #inputs = new Map<string, FieldInput>();
  /** Fields in which somebody is typing, each with what stood when that began. */
  readonly #begun = new Map<string, Begun>();
  readonly #conflicts = make('div', { class: 'conflicts' });
  readonly #gone = make('section', { class: 'row gone', hidden: true });
  readonly #body: readonly HTMLElement[];
  readonly #history = make('ul', { class: 'history', id: 'history' });
  readonly #more: HTMLButtonElement;
  #listed = LISTED;
  readonly #visits = make('output', { id: 'visits' });
  readonly #stops: (() => void)[] = [];

  constructor(options: OrderCardOptions) {
    this.#options = options;
    const { card, device, key, onLeave } = options;
    const field = (name: string, input: FieldInput): HTMLElement => this.#field(name, input);
    const states = Object.entries(STATES).map(([value, text]) => make('option', { value }, text));
    const title = field('title', lineField(200));
    const content = [
      make(
        'div',
        { class: 'fields' },
        field('state', make('select', {}, ...states)),
        field('who', lineField(80)),
        field('due', make('input', { type: 'date' })),
        field('where', lineField(120)),
      ),
      make(
        'div',
        { class: 'row' },
        make('span', {}, 'Visits: ', this.#visits),
        this.#button('Count a visit', '', () =>
          this.#do(() => device.counter(key, 'visits').add(1)),
        ),
      ),
      this.#notes(),
    ];
    const removal = make(
      'div',
      { class: 'row' },
      this.#removal(() => {
        this.#do(() => device.record(key).remove());
        onLeave();
      }),
    );
    this.#more = this.#button('', 'more', () => {
      this.#listed += LISTED;
      this.#showSteps();
    });
    card.replaceChildren(
      make('div', { class: 'row leave' }, this.#button('← All orders', 'plain', onLeave)),
      this.#gone,
      title,
      this.#conflicts,
      ...content,
      make('details', {}, make('summary', {}, make('h3', {}, 'Steps')), this.#history, this.#more),
      removal,
    );
    this.#body = [title, ...content, removal];
    this.#stops.push(device.observe({ prefix: key }, (rows) => this.#show(rows)));
  }

  close(): void {
    // Who goes back in the midst of a word has not left the field.
    for (const [name, input] of this.#inputs) this.#commit(name, input);
    for (const stop of this.#stops) stop();
  }

  /** It goes for everybody, and with it the way back to its steps: a thumb that slipped does not do that. */
  #removal(onSure: () => void): HTMLButtonElement {
    const button = this.#button('Remove this order', '', () => {
      if (button.textContent === SURE) onSure();
      else button.textContent = SURE;
    });
    button.addEventListener('blur', () => {
      button.textContent = 'Remove this order';
    });
    return button;
  }

  #show(rows: readonly RecordRow[]): void {
    const { device, key } = this.#options;
    const row = rows.find((each) => each.key === key);
    for (const [name, input] of this.#inputs) {
      const value = textIn(row, name);
      // What somebody is typing is not taken out of their hands, nor the caret of who is about to.
      if (!this.#begun.has(name) && input.value !== value) setTo(input, value);
      if (input instanceof HTMLTextAreaElement) fit(input);
    }
    this.#visits.value = String(row?.counters['visits'] ?? 0);
    this.#showGone(row === undefined);
    this.#conflicts.replaceChildren(...device.conflicts(key).map((each) => this.#conflict(each)));
    this.#showSteps();
  }

  #showSteps(): void {
    const { device, key } = this.#options;
    const steps = device.history(key);
    const listed = steps.slice(0, this.#listed);
    this.#history.replaceChildren(...listed.map((step) => this.#step(step)));
    showMore(this.#more, steps.length - listed.length);
  }

  /** An order that is gone takes nothing, and says so. */
  #showGone(isGone: boolean): void {
    const { device, key } = this.#options;
    for (const part of this.#body) show(part, !isGone);
    show(this.#gone, isGone);
    if (!isGone) return;
    const removal = device.history(key).find((step) => step.kind === 'remove' && !step.isUndone);
    if (removal === undefined) {
      this.#gone.replaceChildren(make('p', {}, 'This order is not here yet.'));
      return;
    }
    const where = removal.isOwn ? 'here' : 'elsewhere';
    this.#gone.replaceChildren(
      make('p', {}, `This order was removed ${where}, ${timeText(removal.atMs)}.`),
      this.#button('Bring it back', 'main', () => this.#do(() => device.undo(key, removal.id))),
    );
  }

  #field(name: string, input: FieldInput): HTMLElement {
    const { device, key } = this.#options;
    input.name = name;
    this.#inputs.set(name, input);
    input.addEventListener('input', () => {
      if (this.#begun.has(name)) return;
      const record = device.record(key);
      this.#begun.set(name, { before: textIn(record.value, name), edit: record.edit() });
    });
    for (const end of ['change', 'blur']) {
      input.addEventListener(end, () => this.#commit(name, input));
    }
    return make('label', {}, LABELS[name] ?? name, input);
  }

  /** What was typed is set, and is in conflict with what has come since that began. */
  #commit(name: string, input: FieldInput): void {
    const begun = this.#begun.get(name);
    if (begun === undefined) return;
    this.#begun.delete(name);
    const { device, key } = this.#options;
    const row = device.record(key).value;
    // What is written into an order that is gone would be an order without a title.
    if (row === undefined) return;
    const stands = textIn(row, name);
    if (input.value === begun.before) input.value = stands;
    if (input.value !== stands) this.#do(() => begun.edit.set({ [name]: input.value }));
  }

  #notes(): HTMLElement {
    const { device, key } = this.#options;
    const doc = device.doc(NOTES + key.slice(ORDERS.length), Y);
    const text = doc.getText('notes');
    const area = make('textarea', { id: 'notes', spellcheck: true });
    const steps = new Y.UndoManager(text, { trackedOrigins: new Set([area]) });
    area.addEventListener('keydown', (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
      event.preventDefault();
      if (event.shiftKey) steps.redo();
      else steps.undo();
    });
    const letGo = (): void => {
      steps.destroy();
      doc.destroy();
    };
    this.#stops.push(bindText(area, text, area), letGo);
    return make('label', {}, 'Notes, written together', area);
  }

  #conflict(conflict: SeenConflict): HTMLElement {
    const { device } = this.#options;
    const { field, winner, loser, kind } = conflict;
    const side = (word: string, { value, atMs, origin }: SeenConflict['winner']): HTMLElement => {
      const where = origin === device.status.origin ? 'here' : 'elsewhere';
      return this.#button('', 'side', () => this.#do(() => device.resolve(conflict, value)), [
        make('strong', {}, wordOf(field, value)),
        make('span', { class: 'quiet' }, `${word}: ${where}, ${timeText(atMs)}`),
      ]);
    };
    const told =
      kind === 'concurrent' ? 'changed in two places at once' : 'changed against a higher role';
    return make(
      'section',
      { class: 'conflict', 'aria-label': 'Conflict' },
      make('p', {}, make('strong', {}, LABELS[field] ?? field), ` was ${told}. Keep which?`),
      make('div', { class: 'sides' }, side('stands now', winner), side('the other', loser)),
    );
  }

  #step(step: HistoryEntry): HTMLElement {
    const what = `${stepText(step)} · ${step.isOwn ? 'here' : 'elsewhere'}, ${timeText(step.atMs)}`;
    const line = make('li', step.isUndone ? { class: 'undone' } : {});
    line.append(make('span', { class: 'what' }, what));
    if (!step.isUndone) {
      const button = this.#button('Take back', '', () => this.#takeBack(step, button));
      line.append(button);
    }
    return line;
  }

  /** What builds on it goes only where somebody has read that it does. */
  #takeBack({ id }: HistoryEntry, button: HTMLButtonElement): void {
    const { device, key } = this.#options;
    const isSure = button.textContent === BUILT_ON;
    this.#do(() => {
      try {
        return device.undo(key, id, isSure);
      } catch (error) {
        if (!(error instanceof HubError) || error.code !== 'client.built-on') throw error;
        button.textContent = BUILT_ON;
        return Promise.resolve();
      }
    });
  }

  #button(
    text: string,
    style: string,
    onClick: () => void,
    children: readonly Node[] = [],
  ): HTMLButtonElement {
    const button = make('button', { type: 'button', class: style }, text, ...children);
    button.addEventListener('click', onClick);
    return button;
  }

  /** Makes something; what the hub or this browser refuses is told. */
  #do(work: () => PromiseLike<unknown>): void {
    const { onTrouble, onWork } = this.#options;
    onWork();
    try {
      work().then(undefined, onTrouble);
    } catch (error) {
      onTrouble(error);
    }
  }
}

function stepText({ kind, fields }: HistoryEntry): string {
  if (kind === 'undo') return 'took a step back';
  if (kind === 'remove') return 'removed';
  const told = Object.entries(fields).filter(([name]) => name !== MADE);
  const parts = told.map(([name, value]) =>
    kind === 'add'
      ? `${name} +${textOf(value)}`
      : `${LABELS[name] ?? name}: ${wordOf(name, value)}`,
  );
  return parts.join(', ');
}

function wordOf(field: string, value: Value): string {
  const text = textOf(value);
  return (field === 'state' ? STATES[text] : undefined) ?? (text === '' ? '(empty)' : text);
}

function setTo(input: FieldInput, value: string): void {
  input.value = value;
  if (!(input instanceof HTMLSelectElement) || input.value === value) return;
  // A state that this page does not know: another program's.
  input.append(make('option', { value }, value));
  input.value = value;
}

function textIn(row: RecordRow | undefined, name: string): string {
  return textOf(row?.fields[name] ?? (name === 'state' ? 'open' : ''));
}

export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : JSON.stringify(value);
}

/**
 * What was written without knowledge of each other, for a person to decide: what stands, what lost, and a button for each.
 * The list is asked for when the hub answers, when the page is looked at again, and every half minute; no box where there is nothing.
 */
const PERIOD_MS = 30_000;
/** Fields that are shown at once: power and backlog below are what most people came for. */
const SHOWN_MAX = 3;
/** Fields that the page lists at all. */
const LISTED_MAX = 50;
/** Letters of a value in the name of its button, for those who hear the page. */
const NAME_MAX = 80;

const WHY_WORDS = {
  authority: 'it was written by a higher role',
  later: 'it was written later',
  tie: 'both were written at the same moment',
};

export class Conflicts {
  #section;
  #list;
  #more;
  #note;
  /** What the list shows: made anew, a button would lose the focus of who works with keys. */
  #shown = '';

  constructor(section) {
    this.#section = section;
    this.#list = section.querySelector('ol');
    this.#more = section.querySelector('details');
    this.#note = section.querySelector('[role=status]');
    setInterval(() => void this.look(), PERIOD_MS);
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this.look();
    });
  }

  /** Asks the hub, unless nobody is looking. */
  async look() {
    if (document.hidden) return;
    const answer = await fetch('/api/v1/conflicts').catch(() => undefined);
    const body = answer?.ok ? await answer.json().catch(() => undefined) : undefined;
    if (body !== undefined) this.#show(body.conflicts);
  }

  #show(conflicts) {
    const text = JSON.stringify(conflicts);
    if (text === this.#shown) return;
    this.#shown = text;
    const fields = byField(conflicts);
    this.#section.hidden = fields.length === 0;
    this.#list.replaceChildren(...fields.slice(0, SHOWN_MAX).map((each) => this.#item(each)));
    const others = fields.slice(SHOWN_MAX);
    this.#more.hidden = others.length === 0;
    this.#more.querySelector('summary').textContent = `and ${others.length} more`;
    const items = others.slice(0, LISTED_MAX).map((each) => this.#item(each));
    if (others.length > LISTED_MAX) {
      const rest = document.createElement('li');
      rest.className = 'quiet';
      rest.textContent = `and ${others.length - LISTED_MAX} more: heliograph conflicts`;
      items.push(rest);
    }
    this.#more.querySelector('ol').replaceChildren(...items);
  }

  #item(conflict) {
    const { key, title: called, field, piece, why, winner, losers } = conflict;
    const item = document.createElement('li');
    const title = document.createElement('p');
    const name = document.createElement('strong');
    const place = called ? `${called} (${key})` : key;
    name.textContent = piece === 'asset' ? `${place}, its asset` : `${place}, ${field}`;
    title.append(name, ` stands because ${WHY_WORDS[why] ?? why}`);
    item.append(
      title,
      this.#side(conflict, winner, 'Keep'),
      ...losers.map((loser) => this.#side(conflict, loser, 'Take instead')),
    );
    return item;
  }

  #side({ key, field, piece }, side, verb) {
    const row = document.createElement('div');
    row.className = 'side';
    const value = document.createElement('span');
    value.textContent = piece === 'asset' ? assetText(side.value) : valueText(side.value);
    const by = document.createElement('span');
    by.className = 'quiet';
    by.textContent = `${side.role}, ${new Date(side.at).toLocaleString()}`;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = verb;
    button.setAttribute('aria-label', `${verb}: ${value.textContent.slice(0, NAME_MAX)}`);
    const wish = { key, field, value: piece === 'asset' ? side.op : side.value };
    button.addEventListener('click', () => void this.#resolve(wish, button));
    row.append(value, by, button);
    return row;
  }

  async #resolve(wish, button) {
    button.disabled = true;
    const answer = await fetch('/api/v1/conflicts/resolve', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(wish),
    }).catch(() => undefined);
    const body = await answer?.json().catch(() => undefined);
    this.#note.textContent = answer?.ok ? '' : (body?.detail ?? 'The hub did not answer.');
    button.disabled = false;
    await this.look();
  }
}

/** One for each field that is in conflict: what stands, and all that lost to it and say something else than the others. */
function byField(conflicts) {
  const fields = new Map();
  for (const { loser, ...conflict } of conflicts) {
    const name = JSON.stringify([conflict.key, conflict.field]);
    const field = fields.get(name) ?? { ...conflict, losers: [] };
    fields.set(name, field);
    const value = JSON.stringify(loser.value);
    if (field.losers.every((other) => JSON.stringify(other.value) !== value)) {
      field.losers.push(loser);
    }
  }
  return [...fields.values()];
}

function valueText(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function assetText({ type, note, size }) {
  return [note, type, size === undefined ? undefined : `${size} bytes`].filter(Boolean).join(', ');
}

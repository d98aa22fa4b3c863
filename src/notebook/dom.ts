/** Elements of the page, made and found; text is always text, never markup. */

/** The element that the page has under this id. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}

type Child = Node | string;

/** Makes an element; properties are set as they are, `class` and names with a dash as attributes. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Readonly<Record<string, unknown>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'class' || key.includes('-')) element.setAttribute(key, String(value));
    else Object.assign(element, { [key]: value });
  }
  element.append(...children);
  return element;
}

export function show(element: HTMLElement, isShown: boolean): void {
  element.hidden = !isShown;
}

/** A button for what is not shown yet. */
export function showMore(button: HTMLElement, left: number): void {
  button.textContent = `Show more: ${left} left`;
  show(button, left > 0);
}

/** To the second: who has to choose between two values wants to know which was first. */
const STAMP = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
});

export function timeText(atMs: number | undefined): string {
  return atMs === undefined ? 'clock not set' : STAMP.format(atMs);
}

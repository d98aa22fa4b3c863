/**
 * The fleet page of the regional node: its hubs, those that somebody should look at first, of these and of the others
 * the longest unheard; and one click to the power-aware log of each. "Heard" is by the node's clock; everything a hub says is by the hub's own, and as old as its last line.
 */
import { bytes, count, duration } from './figures.js';

const PERIOD_MS = 10_000;
const LINES_MAX = 300;
/** A hub that was silent for longer is marked: it should have had a sunny hour. */
const SILENT_MS = 36 * 3_600_000;
/** So little room on the disk of the region is marked. */
const LOW_DISK_BYTES = 1e9;
const DASH = '–';

const CLOCK_WORDS = {
  ntp: 'time server',
  peer: 'other hub',
  rtc: 'own battery',
  unknown: 'not trusted',
};

const element = (id) => document.getElementById(id);
const localTime = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'short',
  timeStyle: 'short',
  hourCycle: 'h23',
});

function text(tag, content, className = '') {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className !== '') made.className = className;
  return made;
}

/** When a hub was last heard: by us, or by its last word where we have started since. */
function heardMs({ heardAt, saidAt }) {
  return Date.parse(heardAt ?? saidAt ?? '') || 0;
}

/** How old all the rest is: a hub tells it with its next session, so what has gone since still waits there. */
function toldAge({ saidAt, clock }, nowMs) {
  const atMs = Date.parse(saidAt ?? '');
  if (Number.isNaN(atMs) || clock === 'unknown') return DASH;
  return duration(Math.max(0, nowMs - atMs) / 1000);
}

/** What is wrong with a hub: what stops it or its data here first, then what it told of itself. */
function troublesOf({ hindrance, refusal, parked, faults }) {
  return [
    ...(hindrance === null ? [] : [`sends nothing: ${hindrance}`]),
    ...(refusal === null ? [] : [`refuses what is sent to it: ${refusal}`]),
    ...parked.map((reason) => `put aside here: ${reason}`),
    ...faults,
  ];
}

/** True where somebody should look at a hub. */
function isTroubled(hub, nowMs) {
  return nowMs - heardMs(hub) > SILENT_MS || troublesOf(hub).length > 0;
}

function hubRow(hub, nowMs) {
  const row = document.createElement('tr');
  const heading = document.createElement('th');
  heading.scope = 'row';
  const link = text('a', `${hub.site} · ${hub.hub.slice(0, 8)}`);
  link.href = `#${encodeURIComponent(hub.site)}/${hub.hub}`;
  link.title = hub.software === null ? hub.hub : `${hub.hub}, version ${hub.software}`;
  heading.append(link);
  row.append(heading);
  const at = heardMs(hub);
  const silentMs = nowMs - at;
  const heard = at === 0 ? 'never' : duration(silentMs / 1000);
  const { ops, bytes: size, oldestS } = hub.backlog;
  // A hub that was heard and has not told its log yet: nothing is known, which is not the same as nothing there.
  const isTold = hub.saidAt !== null;
  const waiting = ops === 0 ? 'nothing' : `${opsText(ops)}, ${bytes(size)}`;
  const troubles = troublesOf(hub);
  const faultText = troubles.length > 0 ? troubles.join('; ') : isTold ? 'none' : DASH;
  // Named as in the head of the table, which narrow screens have no room for.
  const cells = [
    ['Heard', heard, silentMs > SILENT_MS ? 'bad' : ''],
    ['Told', toldAge(hub, nowMs), ''],
    ['Power', hub.state ?? DASH, hub.state === null ? '' : `state-${hub.state} of-state`],
    ['Charge', hub.socPct === null ? DASH : `${Math.round(hub.socPct)} %`, ''],
    ['Waiting', isTold ? waiting : DASH, ''],
    ['Oldest', ops === 0 ? '' : duration(oldestS), ''],
    ['Clock', CLOCK_WORDS[hub.clock] ?? hub.clock ?? DASH, hub.clock === 'unknown' ? 'bad' : ''],
    ['Faults', faultText, troubles.length > 0 ? 'bad' : ''],
  ];
  for (const [name, content, className] of cells) {
    const cell = text('td', content, className);
    cell.dataset.name = name;
    row.append(cell);
  }
  return row;
}

function lineItem(line) {
  const item = document.createElement('li');
  if (line.state) item.className = `state-${line.state}`;
  const time = text('time', localTime.format(Date.parse(line.at)));
  time.dateTime = line.at;
  const about = line.event === 'decision' || line.event === 'state';
  item.append(time, text('span', about ? (line.state ?? line.event) : line.event, 'event'));
  item.append(text('p', line.why ?? figuresOf(line)));
  return item;
}

function opsText(ops) {
  return `${count(ops)} ${ops === 1 ? 'op' : 'ops'}`;
}

function figuresOf({ ops, bytes: size, energyWh, link }) {
  const figures = [
    ops === undefined ? '' : opsText(ops),
    size === undefined ? '' : bytes(size),
    energyWh === undefined ? '' : `${energyWh.toFixed(2)} Wh`,
    link === undefined ? '' : `over ${link}`,
  ];
  return figures.filter((figure) => figure !== '').join(', ');
}

/** The hub that the address names: `#site/hub`. */
function chosen() {
  const [site, hub] = location.hash.slice(1).split('/');
  return hub === undefined ? undefined : { site: decodeURIComponent(site), hub };
}

async function showFleet() {
  const answer = await fetch('/api/v1/fleet');
  // What the region says of itself: its database is away, its disk is full.
  if (answer.status === 503) return showTrouble((await answer.json()).detail);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const { at, diskFreeBytes, faults, hubs } = await answer.json();
  const nowMs = Date.parse(at);
  const sorted = hubs.toSorted(
    (a, b) => isTroubled(b, nowMs) - isTroubled(a, nowMs) || heardMs(a) - heardMs(b),
  );
  element('hubs').replaceChildren(...sorted.map((hub) => hubRow(hub, nowMs)));
  element('none').hidden = hubs.length > 0;
  const sites = new Set(hubs.map(({ site }) => site)).size;
  element('identity').textContent =
    `${hubs.length} ${hubs.length === 1 ? 'hub' : 'hubs'} at ${sites} ${sites === 1 ? 'site' : 'sites'}`;
  const isLow = diskFreeBytes !== null && diskFreeBytes < LOW_DISK_BYTES;
  const low = isLow ? [`The disk is nearly full: ${bytes(diskFreeBytes)} left`] : [];
  showTrouble([...low, ...faults.map(({ message, hint }) => `${message}. ${hint}`)].join(' '));
}

function showTrouble(sentence) {
  element('trouble').hidden = sentence === '';
  element('trouble').textContent = sentence;
}

async function showLog() {
  const which = chosen();
  element('log-card').hidden = which === undefined;
  if (which === undefined) return;
  const answer = await fetch(`/api/v1/log?${new URLSearchParams(which)}`);
  const body = await answer.text();
  element('log-title').textContent = `Log of ${which.site} · ${which.hub.slice(0, 8)}`;
  const lines = answer.ok ? body.split('\n').filter((line) => line !== '') : [];
  const items = lines.slice(-LINES_MAX).map((line) => lineItem(JSON.parse(line)));
  const missing = answer.status === 404 ? 'no such hub' : 'not to be had now';
  const nothing = text('li', answer.ok ? 'nothing yet' : missing, 'quiet');
  element('log').replaceChildren(...(items.length === 0 ? [nothing] : items.toReversed()));
}

async function show() {
  try {
    await Promise.all([showFleet(), showLog()]);
    element('link-to-hub').className = 'contact live';
    element('link-to-hub').textContent = 'live';
  } catch {
    element('link-to-hub').className = 'contact lost';
    element('link-to-hub').textContent = 'no contact';
  }
}

/** Below a hundred hubs nobody would see that it has come. */
async function chooseHub() {
  await showLog();
  if (chosen() === undefined) return;
  element('log-title').focus({ preventScroll: true });
  element('log-card').scrollIntoView();
}

window.addEventListener('hashchange', () => void chooseHub());
setInterval(() => void show(), PERIOD_MS);
void show();

/**
 * The page: shows what the hub's stream says (`/api/v1/events`) and draws the last hours of power. Every time is
 * told by the hub's clock, never by the browser's: at a site without a network both may be wrong, and then at
 * least they are wrong together.
 */
import { PowerChart } from './chart.js';
import { Conflicts } from './conflicts.js';
import { bytes, count, duration } from './figures.js';

const CLASSES = ['alarm', 'command', 'record', 'telemetry', 'preview', 'bulk', 'log'];
const DECISIONS_MAX = 100;
/** Without news for so long the figures are marked as old. */
const SILENCE_MS = 10_000;

const STATE_WORDS = {
  surplus: 'More sun than the site needs: everything may go.',
  normal: 'Enough energy: everything goes within its budget.',
  saver: 'Saving energy: bulk data waits, the rest goes by its deadline.',
  critical: 'The battery is low: alarms and commands go, the rest waits as long as it may.',
  shutdown: 'The battery must recover: nothing is sent.',
  unknown: 'Too few fresh readings of the battery: sending with caution.',
};

const QUALITY_WORDS = {
  ntp: 'set by a time server',
  peer: 'set by another hub',
  rtc: 'kept by its own battery',
  unknown: 'not trusted: never set since the start',
};

const element = (id) => document.getElementById(id);
const setText = (id, text) => {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
};

// ——— Figures as people read them ———

const DASH = '–';
const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const dayTime = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

function fixed(value, digits) {
  return value === null || value === undefined ? DASH : value.toFixed(digits);
}

/** Three digits at most: 3.6, 41, 1250. */
function watts(value) {
  return fixed(value, value !== null && Math.abs(value) < 10 ? 1 : 0);
}

// ——— Figures into the page ———

function showStatus(status) {
  const nowMs = Date.parse(status.clock.at);
  document.title = `${status.site} · ${status.power.state}`;
  setText('site', status.site);
  setText('identity', `hub ${status.hubId.slice(0, 8)} · ${status.version}`);
  showNotices(status);
  showPower(status.power);
  showBacklog(status.backlog);
  showUplink(status.uplink, nowMs);
  setText('sync-state', status.sync.state);
  showEnergy(status.energy);
  showDevices(status.devices);
  setText('peers', peersText(status.peers));
  showStorage(status);
  setText('clock', clockTime.format(nowMs));
  setText('clock-quality', QUALITY_WORDS[status.clock.quality] ?? status.clock.quality);
  setText('uptime', duration(status.uptimeS));
  setText('memory', bytes(status.process.rssBytes));
  const behind = status.journal.durableLsn - status.store.appliedLsn;
  setText('applied', behind <= 0 ? 'all' : `${count(behind)} behind`);
}

function showDevices({ connected, sessions, messagesIn, queued, dropped, cut }) {
  setText('connected', String(connected));
  setText('sessions', String(sessions));
  setText('messages-in', count(messagesIn));
  setText('queued', count(queued));
  const gaveWay = dropped + cut;
  element('gave-way-row').hidden = gaveWay === 0;
  setText('gave-way', count(gaveWay));
}

/** Of the battery, as the last status said. */
let state;

function showPower(power) {
  const section = document.querySelector('.power');
  section.className = `card power state-${power.state}`;
  const soc = power.socPct;
  setText('soc', fixed(soc, 0));
  const error = power.socErrPct;
  setText('soc-error', soc === null ? 'charge not known' : `± ${fixed(error, 0)} % charge`);
  fillArc('arc-level', soc ?? 0);
  fillArc('arc-error', soc === null ? 0 : Math.min(100, soc + (error ?? 0)));
  const spare = power.curtailed === true && power.state !== 'unknown' ? ', sun to spare' : '';
  const back = power.backAt ? `, back about ${dayTime.format(Date.parse(power.backAt))}` : '';
  setText('power-state', power.state + spare + back);
  if (power.state !== state) {
    state = power.state;
    showWhy();
  }
  const age = power.ageS === null ? 'no reading' : `read ${duration(power.ageS)} ago`;
  setText('power-source', sourceWords(power, age));
  showOverride(power.override);
  setText('pv', watts(power.pvW));
  setText('load', watts(power.loadW));
  setText('volts', fixed(power.batteryV, 2));
}

/** What sync is thought to have taken; where the load is measured, what that says of the same sessions. */
function showEnergy({ sessionsToday, whToday, measuredToday }) {
  const sessions = sessionsToday === 1 ? '1 session' : `${count(sessionsToday)} sessions`;
  setText('uplink-energy', `${fixed(whToday, 2)} Wh, ${sessions}`);
  element('uplink-measured-row').hidden = measuredToday === undefined;
  if (measuredToday === undefined) return;
  const { believedWh, drawnWh, sessions: measured } = measuredToday;
  const of = measured === sessionsToday ? '' : `${count(measured)} of them: `;
  setText('uplink-measured', `${of}${fixed(drawnWh, 2)} Wh for ${fixed(believedWh, 2)} believed`);
}

function sourceWords({ source, state: now }, age) {
  if (source !== 'none') return `${source}, ${age}`;
  return now === 'unknown' ? 'no source found; on mains, set power.sources = ["none"]' : 'on mains';
}

const OVERRIDE_MINUTES = 30;
/** Of the button, as the last status said. */
let isOverridden = false;

function showOverride(override) {
  isOverridden = override !== null;
  const offer = `Send everything for ${OVERRIDE_MINUTES} min`;
  setText('override', isOverridden ? 'End sending by hand' : offer);
  if (override !== null) {
    const until = clockTime.format(Date.parse(override.until));
    const note = `sent by hand until ${until}, says ${override.who}`;
    setText('override-note', override.held ? `${note}; the battery is too low for it` : note);
  } else if (!element('override-note').dataset.failed) setText('override-note', '');
}

async function toggleOverride() {
  const note = element('override-note');
  delete note.dataset.failed;
  const answer = await fetch('/api/v1/override', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ minutes: isOverridden ? 0 : OVERRIDE_MINUTES }),
  }).catch(() => undefined);
  const body = await answer?.json().catch(() => undefined);
  if (answer?.ok) return showOverride(body.override);
  note.dataset.failed = 'yes';
  setText('override-note', body?.detail ?? 'The hub did not answer.');
}

/** The first `percent` of an arc. A round cap would show a dot at 0. */
function fillArc(id, percent) {
  const arc = element(id);
  arc.setAttribute('stroke-dasharray', `${percent} 200`);
  arc.setAttribute('visibility', percent > 0 ? 'visible' : 'hidden');
}

function showBacklog(backlog) {
  const rows = CLASSES.map((name) => {
    const { ops, bytes: size, oldestS } = backlog[name];
    const row = document.createElement('tr');
    if (ops === 0) row.className = 'none';
    else if (name === 'alarm' && oldestS > 60) row.className = 'urgent';
    const heading = document.createElement('th');
    heading.scope = 'row';
    heading.textContent = name;
    row.append(heading);
    const cells = ops === 0 ? ['0', '', ''] : [count(ops), bytes(size), duration(oldestS)];
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  });
  element('backlog').replaceChildren(...rows);
}

function showUplink(uplink, nowMs) {
  const since = uplink.lastReceiptAt === null ? null : nowMs - Date.parse(uplink.lastReceiptAt);
  const isOff = uplink.state === 'off';
  setText('receipt', isOff ? 'off' : since === null ? 'never' : duration(since / 1000));
  setText('receipt-note', isOff ? 'data stays in the journal' : 'since the last receipt');
  setText('uplink-state', uplink.state);
  setText('uplink-kind', isOff ? DASH : uplink.link);
  setText('uplink-bytes', bytes(uplink.bytesToday));
}

/** How many of the other hubs hold what this one holds. */
function peersText(peers) {
  if (peers.length === 0) return 'none';
  const synced = peers.filter((peer) => peer.state === 'synced').length;
  return `${synced} of ${peers.length} in sync`;
}

function showStorage({ journal, disk, flash }) {
  setText('journal-fill', `${Math.floor(100 * journal.fillRatio)} %`);
  setText('journal-note', `of the journal's ${bytes(journal.bytesMax)}`);
  setText('disk-free', bytes(disk.freeBytes));
  setText('flash-today', bytes(flash.bytesToday));
  setText('flash-causes', flashCauses(flash.byCause));
  setText('flash-ratio', flash.amplification === null ? DASH : fixed(flash.amplification, 1));
  const years = flash.lifeYears;
  setText(
    'flash-life',
    years === null ? DASH : years > 50 ? '50+ years' : `${fixed(years, 1)} years`,
  );
}

/** What wrote the most today: `journal 60 %`. */
function flashCauses(byCause) {
  const causes = Object.entries(byCause);
  const total = causes.reduce((sum, [, size]) => sum + size, 0);
  const [name, size] = causes.toSorted(([, a], [, b]) => b - a)[0];
  return total === 0 ? DASH : `${name} ${Math.round((100 * size) / total)} %`;
}

function showNotices({ faults, security, sync }) {
  const notices = faults.map((fault) => notice(fault.message, fault.hint, fault.code));
  if (sync.severity === 'wrong') notices.unshift(recoveryNotice(sync));
  if (security.openLan) {
    notices.push(
      notice(
        'Anyone on this network may read and publish here.',
        'Set `security.mode = "password"` and add users with `heliograph user add`.',
      ),
    );
  }
  const text = notices.map((it) => it.textContent).join('\n');
  const holder = element('notices');
  if (holder.dataset.text !== text) holder.replaceChildren(...notices);
  holder.dataset.text = text;
}

/** A state of sync that asks for a person, with its steps as `heliograph doctor` gives them. */
function recoveryNotice({ state: name, meaning, steps }) {
  const box = notice(`Sync: ${name}`, meaning);
  box.className = 'notice fault';
  const list = document.createElement('ol');
  for (const step of steps) {
    const item = document.createElement('li');
    item.append(...withCode(step));
    list.append(item);
  }
  box.append(list);
  return box;
}

function notice(title, advice, code) {
  const box = document.createElement('div');
  box.className = code === undefined ? 'notice' : 'notice fault';
  const heading = document.createElement('strong');
  heading.textContent = title;
  const hint = document.createElement('span');
  hint.append(...withCode(advice));
  box.append(heading, hint);
  if (code !== undefined) {
    const mark = document.createElement('span');
    mark.className = 'quiet';
    mark.textContent = ` (${code})`;
    box.append(mark);
  }
  return box;
}

/** Text whose parts between backticks are set as code. */
function withCode(text) {
  return text.split('`').map((part, index) => {
    if (index % 2 === 0) return part;
    const code = document.createElement('code');
    code.textContent = part;
    return code;
  });
}

// ——— Decisions ———

function showLines(lines) {
  const items = lines.toReversed().map((line) => lineItem(line));
  const told = items.filter((item) => item !== null).slice(0, DECISIONS_MAX);
  if (told.length > 0) element('decisions').replaceChildren(...told);
  const last = lines.findLast((line) => isAboutState(line) && line.why);
  if (last !== undefined) decide(last);
}

function addLine(line) {
  const item = lineItem(line);
  if (item === null) return;
  const list = element('decisions');
  if (list.firstElementChild?.className === 'quiet') list.replaceChildren();
  list.prepend(item);
  while (list.children.length > DECISIONS_MAX) list.lastElementChild.remove();
  if (isAboutState(line)) decide(line);
}

function isAboutState(line) {
  return line.event === 'decision' || line.event === 'state';
}

/** The last line that is about the state. One that brings another state comes up to a second before the status that has it. */
let decision;

function decide(line) {
  decision = line;
  if (line.state === state) showWhy();
}

/** The reason of the last decision stands beside the state, unless the state has changed since. */
function showWhy() {
  setText('why', decision?.state === state ? unbroken(decision.why) : (STATE_WORDS[state] ?? ''));
}

/** Keeps numbers and their units on one line. */
function unbroken(sentence) {
  return sentence.replace(/(\d) (?=[%A-Za-z]{1,3}\b|%)/g, '$1\u00a0');
}

function lineItem(line) {
  if (!line.why) return null;
  const item = document.createElement('li');
  item.className = line.state ? `state-${line.state}` : '';
  const time = document.createElement('time');
  time.dateTime = line.at;
  time.title = dayTime.format(Date.parse(line.at));
  time.textContent = clockTime.format(Date.parse(line.at));
  const event = document.createElement('span');
  event.className = 'event';
  event.textContent = isAboutState(line) ? (line.state ?? line.event) : line.event;
  const why = document.createElement('p');
  why.textContent = unbroken(line.why);
  item.append(time, event, why);
  return item;
}

// ——— The stream ———

let silence;
/** By the clock of who looks: the hub's own may be anything. */
let heardMs;

function heard() {
  heardMs = Date.now();
  clearTimeout(silence);
  silence = setTimeout(lost, SILENCE_MS);
  element('link-to-hub').className = 'contact live';
  setText('link-to-hub', 'live');
}

function lost() {
  element('link-to-hub').className = 'contact lost';
  setText(
    'link-to-hub',
    heardMs === undefined ? 'no contact' : `no contact since ${clockTime.format(heardMs)}`,
  );
}

function follow() {
  const source = new EventSource('/api/v1/events');
  const on = (event, handle) =>
    source.addEventListener(event, ({ data }) => {
      heard();
      handle(JSON.parse(data));
    });
  on('status', (status) => {
    showStatus(status);
    chart.add(status);
  });
  source.addEventListener('open', () => void conflicts.look());
  on('lines', showLines);
  on('line', addLine);
  source.addEventListener('error', () => {
    lost();
    // A refused stream (401, 429) is not tried again by the browser.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  });
}

const chart = new PowerChart(element('chart'));
const conflicts = new Conflicts(element('conflicts'));
element('override').addEventListener('click', () => void toggleOverride());
const spans = document.querySelectorAll('[data-hours]');
for (const button of spans) {
  button.addEventListener('click', () => {
    for (const other of spans) other.setAttribute('aria-pressed', String(other === button));
    chart.show(Number(button.dataset.hours));
  });
}
follow();

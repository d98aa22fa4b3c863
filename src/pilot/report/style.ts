/** How the report looks, light and dark. */
export const CLASS_COLOURS = [
  'var(--alarm)',
  'var(--command)',
  'var(--record)',
  'var(--telemetry)',
  'var(--preview)',
  'var(--bulk)',
] as const;

export const STATE_COLOURS: Readonly<Record<string, string>> = {
  surplus: 'var(--surplus)',
  normal: 'var(--normal)',
  saver: 'var(--saver)',
  critical: 'var(--critical)',
  shutdown: 'var(--shutdown)',
  unknown: 'var(--unknown)',
  off: 'var(--off)',
};

export const STYLE = `
:root { color-scheme: light dark; --ground: #fbfaf7; --ink: #22262b; --soft: #6b7178; --rule: #dedbd2; --card: #fff;
  --battery: #2f6f4f; --pv: #d99a1c; --load: #6b7178; --radio: #9c4f7c;
  --alarm: #b3473d; --command: #7a4fa3; --record: #2d6ca8; --telemetry: #3f8f6b; --preview: #c07f1a; --bulk: #8a7a66;
  --surplus: #efc44a; --normal: #7fb98f; --saver: #9bb7d4; --critical: #e0915c; --shutdown: #b3473d; --unknown: #b9b4a8; --off: #3b3f45; }
@media (prefers-color-scheme: dark) { :root { --ground: #17191c; --ink: #e6e4df; --soft: #989da4; --rule: #33373c; --card: #1e2125;
  --battery: #6fc79b; --pv: #e8b449; --load: #989da4; --radio: #d48fb3;
  --alarm: #e07a6f; --command: #b491dc; --record: #74aee6; --telemetry: #6fc79b; --preview: #e8b449; --bulk: #b8a890;
  --surplus: #b18d22; --normal: #3f7a53; --saver: #46668a; --critical: #a85f30; --shutdown: #93372f; --unknown: #5b5850; --off: #000; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1216px; margin: 0 auto; padding: 32px 28px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 17px; margin: 36px 0 10px; font-weight: 650; }
p { margin: 0 0 10px; max-width: 76ch; }
.soft { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 22px 0 8px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; }
.tile b { display: block; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 550; color: var(--soft); font-size: 13px; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 7em; position: sticky; left: 0; background: var(--ground); }
td small { display: block; font-size: 13px; font-weight: 400; color: var(--soft); min-width: 10em; }
tr.ours td { font-weight: 650; }
.chart + .soft, .scroll + .soft { margin: 8px 4px 14px; }
.chart { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 6px; position: relative; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg text.title { font-weight: 600; fill: var(--ink); font-size: 13px; }
.grid { stroke: var(--rule); } .day { stroke: var(--rule); stroke-opacity: 0.6; }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; } .area { fill-opacity: 0.28; }
.reserve { stroke: var(--alarm); stroke-dasharray: 5 4; }
.brownout { fill: var(--shutdown); fill-opacity: 0.28; } .trouble { fill: var(--soft); fill-opacity: 0.55; }
#cross { stroke: var(--ink); stroke-opacity: 0.5; pointer-events: none; }
#tip { position: absolute; pointer-events: none; background: var(--ground); border: 1px solid var(--rule); border-radius: 6px; padding: 8px 10px;
  font-size: 13px; line-height: 1.4; width: 300px; box-shadow: 0 4px 16px rgb(0 0 0 / 18%); display: none; z-index: 2; }
#tip i { font-style: normal; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft); margin: 8px 4px; }
.legend span::before { content: ''; display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; background: var(--c); }
ul.verdicts { list-style: none; padding: 0; margin: 14px 0; display: flex; flex-wrap: wrap; gap: 8px; font-variant-numeric: tabular-nums; }
.verdicts li { border: 1px solid var(--rule); border-radius: 6px; padding: 4px 10px; font-size: 13px; background: var(--card); }
.verdicts li::before { margin-right: 6px; font-weight: 700; } .good::before { content: '✓'; color: var(--telemetry); } .bad::before { content: '✗'; color: var(--alarm); }
ul.faults { columns: 2; padding-left: 18px; font-size: 13px; color: var(--soft); margin: 0 0 8px; }
code { font: 13px ui-monospace, monospace; } p code { display: inline-block; }
@media screen and (max-width: 700px) { main { padding: 20px 14px 40px; } .chart { overflow-x: auto; } .chart svg { width: 860px; }
  .chart::before { content: 'Wider than the screen: push it aside.'; position: sticky; left: 0; padding-left: 6px; font-size: 12px; color: var(--soft); } ul.faults { columns: 1; }
  .tiles { grid-template-columns: repeat(2, 1fr); } }
@media print { .chart, .tiles, table { break-inside: avoid; } .scroll { overflow: visible; } th, td { padding: 4px 5px; font-size: 12px; } h2 { break-after: avoid; } #tip, #cross { display: none !important; } }
`;

/**
 * The look of the page: light and dark by the reader's setting, black on white on paper.
 * @module
 */
export const STYLE = `
:root{color-scheme:light dark;--page:#fff;--text:#1a1c1e;--soft:#54595f;--line:#d5d9de;--box:#f4f6f8;--good:#0b6b35;--bad:#a8201a;--busy:#805300;--blue:#1f5fa8}
@media (prefers-color-scheme:dark){:root{--page:#15181b;--text:#e8eaed;--soft:#a9b0b7;--line:#3a4046;--box:#1f2428;--good:#6fd296;--bad:#ff8f85;--busy:#f0bd5a;--blue:#86b8f2}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:75rem;padding:1.5rem;background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.7rem;margin:0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .4rem}
a{color:var(--blue)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;list-style:none}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.2rem 1.5rem;margin:.5rem 0}
dl.rows{grid-template-columns:1fr}
dl.rows>div{display:grid;grid-template-columns:9rem 1fr}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.wide,pre{overflow:auto;max-width:100%}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin-bottom:1rem}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
tbody th{font-weight:normal}
code,pre{font:.85rem/1.4 ui-monospace,monospace}
code{overflow-wrap:anywhere}
time{white-space:nowrap}
th code{white-space:nowrap}
pre{background:var(--box);border:1px solid var(--line);padding:.6rem;max-height:26rem;margin:.2rem 0 1rem}
figure{margin:0}
figcaption,.soft{color:var(--soft)}
.badge{font-weight:600;white-space:nowrap}
.badge.good{color:var(--good)}.badge.bad{color:var(--bad)}.badge.busy{color:var(--busy)}.badge.plain{color:var(--soft)}
svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:var(--text)}
svg .axis{fill:var(--soft);font-size:11px}
svg .tick{stroke:var(--line)}
svg .phase{fill:var(--box);stroke:var(--soft)}
svg .step{fill:var(--blue);stroke:var(--page);stroke-width:.5}
svg .step.failed,svg .phase.failed{fill:var(--bad)}
svg .step.undone{fill:var(--busy)}
svg .phase.undone{stroke:var(--busy);stroke-width:2}
svg .wait{fill:url(#hatch);stroke:var(--busy)}
svg .hatch{fill:var(--line)}
svg .away{fill:var(--busy)}
svg .mark{stroke:var(--text);fill:var(--page);stroke-width:1.5}
svg .power-cycle{fill:var(--bad)}
@media print{
:root{--page:#fff;--text:#000;--soft:#333;--line:#999;--box:#fff;--good:#064;--bad:#900;--busy:#640;--blue:#036}
body{max-width:none;padding:0;font-size:10pt}
nav{display:none}
.wide,pre{overflow:visible;max-height:none}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
tr,svg,h2,h3{break-inside:avoid}
h2,h3{break-after:avoid}
}
`;

/** SHA-256 of STYLE in base64: the page allows this style and no other. A test compares it. */
export const STYLE_SHA256 = 'v92e3NRoKJcaSepsJwZ1GbHBHf7jxDiZOfdL1rySDo8=';

/** Colours of one theme. `series` are for lines and bars, told apart by dashes and labels as well. */
export interface Theme {
  readonly ground: string;
  readonly raised: string;
  readonly ink: string;
  readonly soft: string;
  readonly rule: string;
  readonly series: readonly string[];
}

/** On the ground and on what is raised, ink and soft have a contrast of 4.5 (WCAG 2.2, 1.4.3), rules and series of 3 (1.4.11). */
export const themes: Readonly<Record<'light' | 'dark', Theme>> = {
  light: {
    ground: '#ffffff',
    raised: '#f2f5f8',
    ink: '#1b1f24',
    soft: '#56606b',
    rule: '#7d8792',
    series: ['#0a5bb5', '#b4380c', '#17703a', '#7a3ea3', '#8a5a00', '#0f6d76'],
  },
  dark: {
    ground: '#14181d',
    raised: '#20262d',
    ink: '#e8ebef',
    soft: '#a9b3be',
    rule: '#7a8591',
    series: ['#7cb8ff', '#ff9d6b', '#6fd394', '#cf9ff0', '#e3b341', '#63c8d2'],
  },
};

/** Series have the classes `s0` to `s5`, and begin anew after them. */
export const seriesCount: number = themes.light.series.length;

/** The style of every page: light, dark as the reader's system is, and black on white in print. */
export function styleSheet(): string {
  const { light, dark } = themes;
  return `:root{color-scheme:light dark;${variables(light)}}
@media (prefers-color-scheme:dark){:root{${variables(dark)}}}
@media print{:root{color-scheme:light;${variables(light)}}}
${rules}
${light.series.map((_, index) => `.s${index}{--c:var(--s${index})}`).join('')}
`;
}

function variables({ ground, raised, ink, soft, rule, series }: Theme): string {
  const named = { ground, raised, ink, soft, rule, ...Object.fromEntries(series.map((colour, index) => [`s${index}`, colour])) };
  return Object.entries(named)
    .map(([name, colour]) => `--${name}:${colour};`)
    .join('');
}

const rules = `*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1.25rem 3rem;max-width:72rem;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1,h2,h3{line-height:1.2;margin:0 0 .5rem}
h1{font-size:1.9rem}h2{font-size:1.35rem;margin-top:2.5rem;padding-top:.75rem;border-top:1px solid var(--rule)}h3{font-size:1.05rem;margin-top:1.5rem}
p{margin:.4rem 0;max-width:46rem}
a{color:var(--s0)}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
:focus-visible{outline:3px solid var(--s0);outline-offset:2px}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:1rem 0 0;padding:0}
.soft,footer,caption,figcaption{color:var(--soft)}
footer{margin-top:3rem;padding-top:.75rem;border-top:1px solid var(--rule);font-size:.875rem}
figure{margin:1rem 0 1.5rem}
figcaption{font-size:.9rem;margin-top:.25rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.925rem;font-variant-numeric:tabular-nums;margin:.5rem 0}
caption{text-align:left;padding:.25rem 0}
th,td{padding:.3rem .75rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--raised)}
thead th{border-bottom:1px solid var(--rule);vertical-align:bottom}
tbody th{font-weight:inherit}
.right{text-align:right}
summary{cursor:pointer;color:var(--s0)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.25rem;margin:.75rem 0}dt{color:var(--soft)}dd{margin:0}
@media (max-width:36rem){dl{display:block}dd{margin:0 0 .4rem}}
svg{display:block;height:auto;max-width:100%;font:13px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg.wide{max-width:none}
svg text{fill:var(--ink)}svg .soft{fill:var(--soft)}
svg .small{font-size:11px}svg .strong{font-weight:600}
svg .line{fill:none;stroke:var(--ink);stroke-width:1.25}
svg .grid{fill:none;stroke:var(--rule);stroke-width:.5}
svg .arrowhead{fill:var(--ink)}svg .halo{paint-order:stroke;stroke:var(--ground);stroke-width:3px}
svg .box{fill:var(--raised);stroke:var(--ink)}
svg .state{stroke:var(--c);stroke-width:2}svg .begins{stroke-width:3.5}
svg .curve{fill:none;stroke:var(--c);stroke-width:2.25;stroke-linejoin:round}
svg .mark{fill:var(--c);stroke:var(--ground);stroke-width:1}
svg .bar{fill:var(--c)}
svg text.inked{fill:var(--c);font-weight:600}
@media print{body{max-width:none;padding:0;font-size:10.5pt}nav,.skip{display:none}a{color:inherit;text-decoration:none}
figure,tr,dl{break-inside:avoid}h1,h2,h3,caption{break-after:avoid}.scroll{overflow:visible}svg,svg.wide{max-width:100%;max-height:23cm}
summary{display:none}details::details-content{display:block;content-visibility:visible;height:auto}
*{print-color-adjust:exact}}`;

/**
 * What runs in the page: axes are chosen, points move there, and the keyboard goes from point to point. It reads where everything stands from the page's
 * data and computes nothing itself; without it the page shows the first two axes, and every point leads to its design.
 */
export const plotScript = `'use strict';
const { axes, frame } = JSON.parse(document.getElementById('data').textContent);
const plot = document.getElementById('plot');
const points = [...plot.querySelectorAll('a')];
const told = document.getElementById('told');
const choices = ['x', 'y'].map((name) => document.getElementById('axis-' + name));
const svg = 'http://www.w3.org/2000/svg';
const px = (share) => frame.left + share * frame.width;
const py = (share) => frame.top + (1 - share) * frame.height;
let order = [];

function element(name, attributes, text) {
  const made = document.createElementNS(svg, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawMarks(x, y) {
  const marks = document.getElementById('marks');
  marks.replaceChildren();
  const bottom = frame.top + frame.height;
  for (const { share, text } of x.marks) {
    marks.append(element('path', { class: 'line', d: 'M' + px(share) + ' ' + bottom + 'v5' }));
    marks.append(element('text', { class: 'small', x: px(share), y: bottom + 19, 'text-anchor': 'middle' }, text));
  }
  for (const { share, text } of y.marks) {
    marks.append(element('path', { class: 'grid', d: 'M' + frame.left + ' ' + py(share) + 'h' + frame.width }));
    marks.append(element('text', { class: 'small', x: frame.left - 8, y: py(share) + 4, 'text-anchor': 'end' }, text));
  }
  document.getElementById('title-x').textContent = x.title;
  document.getElementById('title-y').textContent = y.title;
}

function layOut() {
  const [x, y] = choices.map((choice) => axes[choice.value]);
  drawMarks(x, y);
  points.forEach((point, index) => {
    point.firstElementChild.setAttribute('transform', 'translate(' + px(x.shares[index]) + ' ' + py(y.shares[index]) + ')');
  });
  order = points.map((_, index) => index).sort((a, b) => x.shares[a] - x.shares[b] || a - b);
}

function choose(index, focus) {
  points.forEach((point, each) => {
    point.setAttribute('tabindex', each === index ? '0' : '-1');
    point.firstElementChild.firstElementChild.setAttribute('stroke-width', each === index ? '3' : '1');
  });
  if (focus) points[index].focus();
  told.textContent = points[index].getAttribute('aria-label');
}

const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
plot.addEventListener('keydown', (event) => {
  const at = order.indexOf(points.indexOf(event.target.closest('a')));
  if (at < 0) return;
  const to = event.key === 'Home' ? 0 : event.key === 'End' ? order.length - 1 : moves[event.key] ? at + moves[event.key] : undefined;
  if (to === undefined || to < 0 || to >= order.length) return;
  event.preventDefault();
  choose(order[to], true);
});
points.forEach((point, index) => {
  point.addEventListener('focus', () => choose(index, false));
  point.addEventListener('pointerenter', () => choose(index, false));
  point.addEventListener('click', () => { document.querySelector(point.getAttribute('href')).open = true; });
});
for (const choice of choices) choice.addEventListener('change', layOut);
document.getElementById('controls').hidden = false;
layOut();
choose(0, false);
`;

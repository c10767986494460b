// Keys, near to RV's, and the overlay that lists them.

import { change, setExposure, state, toggleMask } from './state.js';
import { step } from './player.js';

const CHANNEL_KEYS = { r: 'r', g: 'g', b: 'b', a: 'a', y: 'y', c: 'rgb' };

/** What each key does: [keys as they are shown, what it does, test, action]. */
export function keyTable(session, player, actions) {
  const { views, layers, frames } = session;
  const next = (list, item) => list[(list.indexOf(item) + 1) % list.length];
  const names = layers.map((layer) => layer.name);
  const flip = (how) => change({ compare: state.compare === how ? 'off' : how });
  const is = (...keys) => (event) => keys.includes(event.key);
  const compare = names.length > 1;
  return [
    ['space', 'play, stop', is(' '), () => (state.playing ? player.stop() : player.start())],
    ['← →', 'frame back, on (shift: ten)', is('ArrowLeft', 'ArrowRight'), (event) => step(session, (event.key === 'ArrowLeft' ? -1 : 1) * (event.shiftKey ? 10 : 1))],
    ['home end', 'first, last frame', is('Home', 'End'), (event) => step(session, (event.key === 'Home' ? -1 : 1) * frames.length)],
    ['+ −', 'exposure, a quarter stop', is('+', '=', '-', '−'), (event) => setExposure(state.exposure + (event.key === '+' || event.key === '=' ? 0.25 : -0.25))],
    ['[ ]', 'exposure, a twentieth', is('[', ']'), (event) => setExposure(state.exposure + (event.key === ']' ? 0.05 : -0.05))],
    ['0', 'exposure 0, gamma 1', is('0'), () => change({ exposure: 0, gamma: 1 })],
    ['1 … 9', 'view', (event) => event.key >= '1' && event.key <= '9' && event.key.length === 1 && Number(event.key) <= views.length, (event) => change({ view: Number(event.key) - 1, falseColour: false })],
    ['o', 'false colour', is('o'), () => change({ falseColour: !state.falseColour })],
    ['r g b a y c', 'red, green, blue, alpha, luminance, colour', (event) => event.key in CHANNEL_KEYS, (event) => change({ channel: state.channel === CHANNEL_KEYS[event.key] ? 'rgb' : CHANNEL_KEYS[event.key] })],
    ['s', 'show plates, source, reference', is('s'), () => change({ shown: next(names, state.shown) })],
    ['w', 'wipe', (event) => compare && event.key === 'w', () => flip('wipe')],
    ['d', 'difference', (event) => compare && event.key === 'd', () => flip('difference')],
    ['m', 'masks: clipped and negative', is('m'), () => { const on = !state.masks.clipped; change({ masks: { ...state.masks, clipped: on, negative: on, broken: on } }); }],
    ['n', 'mask: generated', is('n'), () => layers[0].generated && toggleMask('generated')],
    ['f', 'fit', is('f'), () => change({ fit: true })],
    ['z', 'one to one', is('z'), () => change({ fit: false, zoom: 1, pan: [0, 0] })],
    ['l', 'look again for missing frames', is('l'), actions.forgive],
    ['?', 'these keys', is('?', 'h'), actions.help],
  ];
}

/** Whether a key is meant for the control that has the focus, as for those who use no mouse. */
function belongsToControl({ target, key }) {
  if (target.matches?.('input[type=number], select')) return true;
  if (target.matches?.('button, input[type=checkbox]')) return key === ' ' || key === 'Enter';
  return target.matches?.('input[type=range]') && /^(Arrow|Home|End|Page)/.test(key);
}

export function listenToKeys(table) {
  // What was clicked gives the keys back to the picture.
  window.addEventListener('click', ({ target, detail }) => detail > 0 && target.matches('button, input') && target.type !== 'number' && target.blur());
  window.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (belongsToControl(event)) return;
    const found = table.find(([, , test]) => test(event));
    if (!found) return;
    event.preventDefault(); // space would press a button, arrows move a slider
    found[3](event);
  });
}

export function listKeys(list, table) {
  for (const [keys, what] of table) {
    list.append(Object.assign(document.createElement('dt'), { textContent: keys }));
    list.append(Object.assign(document.createElement('dd'), { textContent: what }));
  }
}

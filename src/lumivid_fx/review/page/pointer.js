// The mouse over the picture: what is under it, dragging, the wheel.

import { change, state } from './state.js';
import { pixelAt } from './place.js';

const NEAR_WIPE = 8; // device pixels
const ZOOMS = [1 / 16, 64];

export function listenToPointer(canvas, place) {
  const at = (event) => {
    const scale = window.devicePixelRatio || 1;
    return [event.offsetX * scale, event.offsetY * scale];
  };
  let drag = null; // {wipe, from, pan, moved}
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button > 1) return;
    const from = at(event);
    const wipe = state.compare === 'wipe' && Math.abs(from[0] - state.wipe * canvas.width) <= NEAR_WIPE;
    const now = place();
    drag = { wipe, from, moved: false, zoom: now[3], pan: panOf(now) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const [x, y] = at(event);
    if (!drag || !(event.buttons & 5)) {
      change({ pointer: [x, y] });
      return;
    }
    drag.moved ||= Math.hypot(x - drag.from[0], y - drag.from[1]) > 3;
    if (drag.wipe) change({ pointer: [x, y], wipe: Math.min(Math.max(x / canvas.width, 0), 1) });
    else if (drag.moved) {
      const pan = [drag.pan[0] + x - drag.from[0], drag.pan[1] + y - drag.from[1]];
      change({ pointer: [x, y], fit: false, zoom: drag.zoom, pan });
    }
  });
  canvas.addEventListener('pointerup', (event) => {
    if (drag && !drag.moved && !drag.wipe) change({ held: state.held ? null : pixelAt(at(event), place()) });
    drag = null;
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });
  canvas.addEventListener('pointerleave', () => change({ pointer: null }));
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    const [x, y] = at(event);
    const [left, top, across, zoom] = place();
    const next = Math.min(Math.max(zoom * 2 ** (-event.deltaY / 400), ZOOMS[0]), ZOOMS[1]);
    const near = Math.abs(Math.log2(next)) < 0.06 && next !== zoom ? 1 : next; // 1:1 is easily hit
    const ratio = near / zoom;
    const moved = [x + (left - x) * ratio, y + (top - y) * ratio, across * ratio, near];
    change({ fit: false, zoom: near, pan: panOf(moved) });
  }, { passive: false });

  /** How far the picture's middle is from the viewer's, for a place. */
  function panOf([left, top, across, down]) {
    const { width, height } = canvas.dataset;
    return [left + (width * across) / 2 - canvas.width / 2, top + (height * down) / 2 - canvas.height / 2];
  }
}

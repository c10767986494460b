// The bar of frames: which are here, which are missing, which is shown; drag it to scrub.

import { change, state } from './state.js';

export class Timeline {
  constructor(canvas, session, stateOf) {
    this.canvas = canvas;
    this.frames = session.frames;
    this.missing = new Set(session.layers[0].missing);
    this.stateOf = stateOf; // frame number -> 'full', 'small', 'fault' or undefined
    const scrub = (event) => {
      const across = (event.offsetX / canvas.clientWidth) * this.frames.length;
      const index = Math.min(Math.max(Math.floor(across), 0), this.frames.length - 1);
      change({ frame: this.frames[index], playing: false, moving: true });
    };
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      scrub(event);
    });
    canvas.addEventListener('pointermove', (event) => event.buttons & 1 && scrub(event));
  }

  draw() {
    const { canvas, frames } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const ink = canvas.getContext('2d');
    ink.fillStyle = '#191919';
    ink.fillRect(0, 0, width, height);
    const each = width / frames.length;
    const inks = { full: '#8a8a8a', small: '#585858', fault: '#c9843a' };
    const foot = height - 5 * scale;
    frames.forEach((number, index) => {
      const kind = this.missing.has(number) ? 'fault' : this.stateOf(number);
      if (!kind) return;
      ink.fillStyle = inks[kind];
      ink.fillRect(Math.floor(index * each), foot, Math.max(1, Math.ceil(each)), 5 * scale);
    });
    ink.font = `${10.5 * scale}px system-ui, sans-serif`;
    const room = Math.max(1, Math.ceil((56 * scale) / each));
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((n) => n >= room) ?? room;
    ink.textAlign = 'left';
    frames.forEach((number, index) => {
      if (index % step) return;
      ink.fillStyle = '#4a4a4a';
      ink.fillRect(Math.floor(index * each), 0, scale, foot);
      ink.fillStyle = '#9a9a9a';
      ink.fillText(number, index * each + 4 * scale, 13 * scale);
    });
    const at = frames.indexOf(state.frame);
    ink.fillStyle = '#e2e2e2';
    ink.fillRect(Math.floor(at * each), 0, Math.max(2 * scale, Math.floor(each)), height);
    if (each > 44 * scale) {
      ink.fillStyle = '#191919';
      ink.fillText(state.frame, at * each + 4 * scale, 13 * scale);
    }
  }
}

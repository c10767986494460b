// Plays frames at their rate. A frame that is not here yet holds the clock; those that the screen
// cannot keep up with are passed over, and the rate that was reached is told.

import { change, state } from './state.js';

export class Player {
  /** @param isHere whether a frame can be shown now */
  constructor(session, isHere) {
    this.frames = session.frames;
    this.fps = session.fps;
    this.isHere = isHere;
    this.shown = []; // when the last frames were shown, ms
    this.reached = null;
  }

  start() {
    this.begin(performance.now());
    this.shown = [];
    change({ playing: true, moving: true });
    requestAnimationFrame((now) => this.tick(now));
  }

  stop() { change({ playing: false }); }

  begin(now) {
    this.since = now;
    this.from = this.frames.indexOf(state.frame);
  }

  tick(now) {
    if (!state.playing) return;
    requestAnimationFrame((later) => this.tick(later));
    const due = Math.floor(((now - this.since) / 1000) * this.fps);
    let steps = 0;
    while (steps < due && this.isHere(this.after(steps + 1))) steps += 1;
    if (steps < due) this.since = now - (steps / this.fps) * 1000; // it is waited for
    if (!steps) return;
    const frame = this.after(steps);
    this.since += (steps / this.fps) * 1000;
    this.from = this.frames.indexOf(frame);
    this.shown = [...this.shown.slice(-23), now];
    if (this.shown.length > 1) this.reached = ((this.shown.length - 1) * 1000) / (now - this.shown[0]);
    change({ frame });
  }

  after(steps) { return this.frames[(this.from + steps) % this.frames.length]; }
}

/** Go so many frames on, within the shot, and stand still there. */
export function step(session, by) {
  const { frames } = session;
  const at = Math.min(Math.max(frames.indexOf(state.frame) + by, 0), frames.length - 1);
  change({ frame: frames[at], playing: false, moving: true });
}

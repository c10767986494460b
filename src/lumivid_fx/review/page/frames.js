// Frames from the server, and a bounded memory of them. Somebody says what is wanted, nearest first;
// what is on its way and no longer wanted is taken back.

const LIMIT = 2 ** 30; // bytes kept: 15 frames of 4K, or 64 of HD
const AT_ONCE = 3;

/** One of `frames` or `generated`, of a layer, at 1/scale: what a frame is asked by. */
export const keyOf = (kind, layer, number, scale) => `${kind}/${layer}/${number}?scale=${scale}`;

export class Frames {
  /** @param {() => void} onChange called when a frame has come, or will not */
  constructor(onChange) {
    this.onChange = onChange;
    this.kept = new Map(); // key -> frame, the least recently used first
    this.bytes = 0;
    this.faults = new Map(); // key without scale -> sentence
    this.coming = new Map(); // key -> AbortController
    this.wanted = [];
  }

  /** The frame, if it is here; it then counts as used. */
  find(key) {
    const frame = this.kept.get(key);
    if (frame) {
      this.kept.delete(key);
      this.kept.set(key, frame);
    }
    return frame;
  }

  has(key) { return this.kept.has(key); }

  /** Why a frame cannot be had, or undefined. */
  fault(key) { return this.faults.get(key.split('?')[0]); }

  /** Look again for what was missing or broken. */
  forgive() { this.faults.clear(); }

  /** Frames that are to come, in this order; whatever else is on its way is stopped. */
  want(keys) {
    this.wanted = keys;
    for (const [key, control] of this.coming) if (!keys.includes(key)) control.abort();
    this.fetchNext();
  }

  get busy() { return this.coming.size > 0; }

  fetchNext() {
    for (const key of this.wanted) {
      if (this.coming.size >= AT_ONCE) return;
      if (!this.kept.has(key) && !this.coming.has(key) && !this.fault(key)) this.fetch(key);
    }
  }

  async fetch(key) {
    const control = new AbortController();
    this.coming.set(key, control);
    try {
      const answer = await fetch(key, { signal: control.signal });
      if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        throw new Error(told.error ?? `the server answered ${answer.status}; start lumivid review again`);
      }
      const [width, height] = answer.headers.get('lumivid-size').split(' ').map(Number);
      const data = new Uint16Array(await answer.arrayBuffer());
      this.keep(key, {
        width, height, data,
        scale: Number(answer.headers.get('lumivid-scale')),
        window: answer.headers.get('lumivid-window')?.split(' ').map(Number),
        clamped: Number(answer.headers.get('lumivid-clamped') ?? 0),
      });
    } catch (error) {
      if (error.name !== 'AbortError') this.faults.set(key.split('?')[0], sentence(error));
    } finally {
      this.coming.delete(key);
    }
    this.onChange();
    this.fetchNext();
  }

  keep(key, frame) {
    this.kept.set(key, frame);
    this.bytes += frame.data.byteLength;
    for (const [old, { data }] of this.kept) {
      if (this.bytes <= LIMIT) break;
      if (old === key || this.wanted.slice(0, 4).includes(old)) continue;
      this.kept.delete(old);
      this.bytes -= data.byteLength;
    }
  }

  /** How many frames of a size may be kept. */
  static room(bytes) { return Math.max(2, Math.floor((0.8 * LIMIT) / bytes)); }
}

function sentence(error) {
  if (error instanceof TypeError) return 'The server does not answer; start lumivid review again and open its new address.';
  return error.message;
}

// Histogram and waveform of a frame's light, in stops from mid grey. Counts are exact: a half float has
// 65536 codes, each looked up once in a table that says which bin it falls in.

import { HALF_VALUES } from './half.js';

export const LOW = -12;
export const HIGH = 12;
export const BINS_A_STOP = 8;
export const BINS = (HIGH - LOW) * BINS_A_STOP;
const COLUMNS = 256;
// Beyond the bins:
const NEGATIVE = BINS, ZERO = BINS + 1, UNDER = BINS + 2, OVER = BINS + 3, BROKEN = BINS + 4;
export const KINDS = { negative: NEGATIVE, zero: ZERO, under: UNDER, over: OVER, broken: BROKEN };
const STRIDE = BINS + 5;
const INK = ['#841414', '#147a14', '#182090']; // together a grey

/** The bin of each half float. */
export function binsOf(grey) {
  const bins = new Uint16Array(65536);
  for (let code = 0; code < 65536; code += 1) {
    const value = HALF_VALUES[code];
    const stop = (Math.log2(value / grey) - LOW) * BINS_A_STOP;
    if (!Number.isFinite(value)) bins[code] = BROKEN;
    else if (value < 0) bins[code] = NEGATIVE;
    else if (value === 0) bins[code] = ZERO;
    else if (stop < 0) bins[code] = UNDER;
    else bins[code] = stop >= BINS ? OVER : Math.floor(stop);
  }
  return bins;
}

/** Counts red, green and blue of a frame, a slice of time at a go. */
export class Count {
  /** @param step every so many rows; 1 counts every pixel */
  constructor(frame, bins, step) {
    Object.assign(this, { frame, bins, step, row: 0 });
    this.waveform = [0, 1, 2].map(() => new Uint32Array(COLUMNS * STRIDE)); // by column, then bin
    this.column = Uint32Array.from({ length: frame.width }, (_, x) => Math.floor((x * COLUMNS) / frame.width) * STRIDE);
  }

  /** Go on for so many milliseconds; whether all is counted. */
  run(limit = Infinity) {
    const { frame: { width, height, data }, bins, column, step } = this;
    const [red, green, blue] = this.waveform;
    const until = performance.now() + limit;
    for (; this.row < height && performance.now() < until; this.row += step) {
      let at = this.row * width * 4;
      for (let x = 0; x < width; x += 1, at += 4) {
        red[column[x] + bins[data[at]]] += 1;
        green[column[x] + bins[data[at + 1]]] += 1;
        blue[column[x] + bins[data[at + 2]]] += 1;
      }
    }
    return this.row >= height;
  }

  /** By channel: samples a bin, over all columns, and then those beyond the bins. */
  get histogram() {
    return this.waveform.map((counts) => {
      const total = new Uint32Array(STRIDE);
      for (let at = 0; at < counts.length; at += 1) total[at % STRIDE] += counts[at];
      return total;
    });
  }
}

function paper(canvas) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const ink = canvas.getContext('2d');
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.globalCompositeOperation = 'source-over';
  ink.clearRect(0, 0, width, height);
  return { ink, width, height, scale };
}

const label = (stop) => (stop > 0 ? `+${stop}` : `${stop}`);

export function drawHistogram(canvas, histogram) {
  const { ink, width, height, scale } = paper(canvas);
  const foot = 13 * scale;
  const xOf = (stop) => ((stop - LOW) / (HIGH - LOW)) * width;
  const most = Math.max(1, ...histogram.flatMap((counts) => Array.from(counts.subarray(0, BINS))));
  ink.globalCompositeOperation = 'lighter'; // where all three are, grey
  histogram.forEach((counts, channel) => {
    ink.fillStyle = INK[channel];
    for (let bin = 0; bin < BINS; bin += 1) {
      const tall = Math.sqrt(counts[bin] / most) * (height - foot - 2 * scale);
      ink.fillRect((bin / BINS) * width, height - foot - tall, width / BINS, tall);
    }
  });
  ink.globalCompositeOperation = 'source-over';
  ink.font = `${9.5 * scale}px system-ui, sans-serif`;
  ink.textAlign = 'center';
  for (let stop = LOW + 2; stop < HIGH; stop += 2) {
    ink.fillStyle = stop === 0 ? '#ffffff60' : '#ffffff18';
    ink.fillRect(Math.round(xOf(stop)), 0, scale, height - foot);
    ink.fillStyle = '#8a8a8a';
    if (stop % 4 === 0) ink.fillText(label(stop), xOf(stop), height - 3 * scale);
  }
}

export function drawWaveform(canvas, waveform, perColumn) {
  const { ink, width, height, scale } = paper(canvas);
  const image = new ImageData(COLUMNS, BINS);
  for (let x = 0; x < COLUMNS; x += 1) {
    for (let bin = 0; bin < BINS; bin += 1) {
      const at = ((BINS - 1 - bin) * COLUMNS + x) * 4;
      const lit = waveform.map((counts) => Math.min(1, Math.log1p((40 * counts[x * STRIDE + bin]) / perColumn) / 1.6));
      if (!lit.some(Boolean)) continue;
      image.data.set([30 + 190 * lit[0], 30 + 190 * lit[1], 30 + 205 * lit[2]], at);
      image.data[at + 3] = 255 * Math.min(1, 0.3 + Math.max(...lit));
    }
  }
  const yOf = (stop) => ((HIGH - stop) / (HIGH - LOW)) * height;
  ink.font = `${9.5 * scale}px system-ui, sans-serif`;
  for (let stop = LOW + 4; stop < HIGH; stop += 4) {
    ink.fillStyle = stop === 0 ? '#6a6a6a' : '#2e2e2e';
    ink.fillRect(0, Math.round(yOf(stop)), width, scale);
  }
  const small = new OffscreenCanvas(COLUMNS, BINS);
  small.getContext('2d').putImageData(image, 0, 0);
  ink.imageSmoothingEnabled = true;
  ink.drawImage(small, 0, 0, width, height);
  ink.fillStyle = '#8a8a8a';
  for (let stop = LOW + 4; stop < HIGH; stop += 4) ink.fillText(label(stop), 3 * scale, yOf(stop) - 3 * scale);
}

// The panel beside the picture: controls that change what is looked at, and numbers that say what it is.

import { pixel } from './half.js';
import { pixelAt, texelAt } from './place.js';
import { BINS, Count, KINDS, binsOf, drawHistogram, drawWaveform } from './scopes.js';
import { change, setExposure, state, toggleMask } from './state.js';

const byId = (id) => document.getElementById(id);
const QUICK_PIXELS = 3e5; // counted at once; all of a larger frame when it rests
const SLICE_MS = 12;
const signed = (value, digits) => (value < 0 ? '−' : '+') + Math.abs(value).toFixed(digits);

/** A number as a table shows it: five digits that count, of large ones all before the point. */
function short(value) {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential(2);
  return Number(value.toPrecision(5)).toString().replace('-', '−');
}

export class Panel {
  constructor(session, player) {
    this.session = session;
    this.player = player;
    this.bins = binsOf(session.grey);
    this.counted = null; // what the scopes show
    this.counting = null; // what they will show
    this.fillHeader();
    this.fillChoices();
    this.fillBands();
    this.listen();
  }

  fillHeader() {
    const { session } = this;
    const [plates] = session.layers;
    document.title = `${plates.file} - LumiVid review`;
    byId('name').textContent = plates.file;
    const told = session.fps_told ? '' : ' (not said by the files)';
    byId('about').textContent = `${plates.range} · ${plates.width} × ${plates.height} · ${Number(session.fps.toFixed(3))} fps${told} · ${session.space}`;
    byId('nits-note').textContent = `Light 1.0 is taken as ${session.white_nits} nits; nits and stops are of luminance, stops from ${session.grey}, before exposure.`;
  }

  fillChoices() {
    const { session } = this;
    const group = (select, name) => select.appendChild(Object.assign(document.createElement('optgroup'), { label: name }));
    let display = null;
    session.views.forEach((view, index) => {
      const [on, name] = [view.slice(0, view.indexOf('/')), view.slice(view.indexOf('/') + 1)];
      if (display?.label !== on) display = group(byId('view'), on);
      display.append(new Option(index < 9 ? `${index + 1}  ${name}` : name, index));
    });
    for (const layer of session.layers) {
      byId('shown').append(new Option(layer.name, layer.name));
      byId('against').append(new Option(layer.name, layer.name));
    }
    if (session.layers.length === 1) {
      byId('compare').disabled = true;
      byId('against').disabled = true;
      byId('beside').textContent = 'Start with --source or --reference to have something to compare with.';
    }
    byId('mask-generated').disabled = !session.layers.some((layer) => layer.generated);
    if (byId('mask-generated').disabled) byId('mask-generated').title = 'These frames do not tell; render with --generated.';
    Object.assign(byId('frame'), { min: session.frames[0], max: session.frames.at(-1) });
  }

  fillBands() {
    const { false_colours: colours, last_stop: last } = this.session;
    colours.forEach((colour, index) => {
      const stop = index - last - 1;
      const band = document.createElement('div');
      const bright = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2];
      band.className = bright > 0.5 ? 'light' : 'dark';
      band.style.background = `rgb(${colour.map((code) => Math.round(code * 255)).join()})`;
      band.dataset.stop = Math.abs(stop) > last ? (stop < 0 ? '<' : '>') : stop;
      band.title = Math.abs(stop) > last ? `${stop < 0 ? 'under' : 'over'} ${signed(stop < 0 ? -last - 0.5 : last + 0.5, 1)} stops` : `${signed(stop - 0.5, 1)} to ${signed(stop + 0.5, 1)} stops from 0.18`;
      byId('bands').append(band);
    });
  }

  listen() {
    const on = (id, event, then) => byId(id).addEventListener(event, then);
    on('exposure', 'input', (event) => setExposure(event.target.valueAsNumber));
    on('gamma', 'input', (event) => change({ gamma: event.target.valueAsNumber }));
    on('reset', 'click', () => change({ exposure: 0, gamma: 1 }));
    on('view', 'change', (event) => change({ view: Number(event.target.value) }));
    on('false-colour', 'change', (event) => change({ falseColour: event.target.checked }));
    on('high-range-on', 'change', (event) => change({ highRange: event.target.checked }));
    on('shown', 'change', (event) => change({ shown: event.target.value }));
    on('against', 'change', (event) => change({ against: event.target.value }));
    on('compare', 'change', (event) => change({ compare: event.target.value }));
    for (const name of Object.keys(state.masks)) on(`mask-${name}`, 'change', () => toggleMask(name));
    on('play', 'click', () => (state.playing ? this.player.stop() : this.player.start()));
    on('frame', 'change', (event) => {
      const { frames } = this.session;
      const near = frames.reduce((best, number) => (Math.abs(number - event.target.valueAsNumber) < Math.abs(best - event.target.valueAsNumber) ? number : best));
      change({ frame: near, playing: false, moving: true });
    });
    for (const id of ['exposure', 'gamma', 'view', 'shown', 'against', 'compare']) on(id, 'change', (event) => event.target.blur()); // keys are the picture's again
  }

  /** Offer true HDR, or no longer. */
  offerHighRange(offered) {
    byId('high-range-label').hidden = !offered;
    if (!offered && state.highRange) change({ highRange: false });
  }

  /** Show what is so now; `drawn` is what stands on the screen, or null before the first frame. */
  update(drawn, picture) {
    byId('exposure').value = state.exposure;
    byId('exposure-value').textContent = `${signed(state.exposure, 2)} stops`;
    byId('gamma').value = state.gamma;
    byId('gamma-value').textContent = `γ ${state.gamma.toFixed(2)}`;
    byId('view').value = state.view;
    byId('false-colour').checked = state.falseColour;
    byId('bands').hidden = !state.falseColour;
    byId('high-range-on').checked = state.highRange;
    byId('shown').value = state.shown;
    byId('compare').value = state.compare;
    byId('against').value = state.against ?? '';
    byId('against').hidden = state.compare === 'off';
    for (const [name, on] of Object.entries(state.masks)) byId(`mask-${name}`).checked = on;
    byId('play').textContent = state.playing ? 'stop' : 'play';
    if (document.activeElement !== byId('frame')) byId('frame').value = state.frame;
    const { fps } = this.session;
    const rate = Number(fps.toFixed(2));
    byId('rate').textContent = state.playing && this.player.reached ? `${this.player.reached.toFixed(1)} of ${rate} fps` : `${rate} fps`;
    this.tellError(picture.errors.get(`view-${state.view}`));
    if (drawn) {
      this.tellShown(drawn);
      this.tellLight(drawn);
      this.tellPixel(drawn, picture);
    }
  }

  tellError(error) {
    const note = byId('view-error');
    if (error === undefined) note.textContent = '';
    else {
      const steps = error * 255;
      note.classList.toggle('bad', steps > 1);
      const near = steps < 0.001 ? 'less than 0.001' : steps.toFixed(3);
      note.textContent = `${near[0].toUpperCase()}${near.slice(1)} of an 8-bit step from OpenColorIO${steps > 1 ? ': this graphics card is not exact enough to judge by.' : '.'}`;
    }
    if (state.highRange) note.textContent = 'True HDR: light as it is, no view; 1.0 is the white of this page.';
  }

  tellShown({ layers: [a, b], frames: [frame], look }) {
    byId('resolution').textContent = frame.none ? '' : frame.scale === 1 ? `full, ${Math.round(look.place[3] * 100)} %` : `smaller, 1/${frame.scale} of ${a.width} × ${a.height}`;
    byId('told').textContent = frame.clamped ? `${frame.clamped} samples are beyond the largest half float, and shown as it.` : '';
    byId('label-a').textContent = b ? (look.compare === 'difference' ? `${a.name} minus ${b.name}, as light, without sign` : a.name) : a.name === 'plates' ? '' : a.name;
    byId('label-b').textContent = look.compare === 'wipe' ? b.name : '';
    const other = b ?? this.session.layers.find((layer) => layer.name === state.against);
    const { plates } = { plates: this.session.layers[0] };
    if (other && this.session.layers.length > 1) {
      const moved = other.shift ? ` Frame ${state.frame} stands beside its ${state.frame + other.shift}.` : '';
      const size = other.windows.display_width === plates.windows.display_width && other.windows.display_height === plates.windows.display_height ? '' : ` It is ${other.windows.display_width} × ${other.windows.display_height}, scaled.`;
      const seen = other.is_picture ? `is a finished picture in ${other.space}, shown as it is` : `is light in ${other.space}, shown through the view`;
      byId('beside').textContent = other === plates ? '' : `The ${other.name} ${seen}.${size}${moved}`;
    }
    byId('ceiling').textContent = `Clipped is ${short(a.ceiling.light)} and more (${a.ceiling.what}).`;
  }

  tellLight({ layers: [layer], frames: [frame], whole }) {
    if (frame.none) {
      this.counted = null;
      this.counting = null;
      for (const id of ['histogram', 'waveform']) byId(id).width = 0; // empty until there is light again
      for (const id of ['scope-of', 'counts']) byId(id).textContent = '';
      return;
    }
    if (this.counted?.frame !== frame) {
      this.counting = null;
      const step = Math.ceil((frame.width * frame.height) / QUICK_PIXELS);
      const count = new Count(frame, this.bins, step);
      count.run();
      this.showCount(count);
    }
    if (this.counted.step > 1 && this.counting?.frame !== frame && !state.moving && !state.playing) this.countAll(frame);
    const exact = this.counted.step === 1 && whole;
    const { histogram } = this;
    const total = (kind) => histogram.reduce((sum, counts) => sum + counts[kind], 0);
    const parts = Object.entries(KINDS).map(([name, kind]) => [name, total(kind)]).filter(([, n]) => n);
    const words = { negative: 'negative', zero: 'zero', under: 'under −12 stops', over: 'over +12 stops', broken: 'no number' };
    byId('scope-of').textContent = `of the ${layer.name}, stops from ${this.session.grey}`;
    byId('counts').textContent = (exact ? 'Samples: ' : 'Samples, not all counted: ') + [`${histogram.reduce((sum, counts) => sum + counts.subarray(0, BINS).reduce((a, b) => a + b, 0), 0)} shown`, ...parts.map(([name, n]) => `${n} ${words[name]}`)].join(', ');
  }

  /** Count every pixel, in slices between which the page stays quick; given up for another frame. */
  countAll(frame) {
    const count = new Count(frame, this.bins, 1);
    this.counting = count;
    const go = () => {
      if (this.counting !== count) return;
      if (count.run(SLICE_MS)) {
        this.counting = null;
        this.showCount(count);
        change({});
      } else setTimeout(go);
    };
    setTimeout(go);
  }

  showCount(count) {
    this.counted = count;
    this.histogram = count.histogram;
    drawHistogram(byId('histogram'), this.histogram);
    drawWaveform(byId('waveform'), count.waveform, Math.max(1, (count.frame.width / 256) * Math.ceil(count.frame.height / count.step)));
  }

  tellPixel({ layers, frames, look }, picture) {
    const place = look.place;
    const at = state.held ?? (state.pointer && pixelAt(state.pointer, place));
    const body = byId('probe').tBodies[0];
    const rows = [];
    const { luminance, grey, white_nits: white } = this.session;
    const inside = at && at[0] >= 0 && at[1] >= 0 && at[0] < look.display[0] && at[1] < look.display[1];
    byId('where').textContent = inside ? `${at[0]}, ${at[1]}${state.held ? ' (held)' : ''}${frames.some((frame) => frame && !frame.none && frame.scale > 1) ? ', of the smaller frame' : ''}` : '';
    layers.forEach((layer, index) => {
      const texel = layer && inside && texelAt(at, look.windows[index], frames[index]);
      const light = texel && !frames[index].none && pixel(frames[index], ...texel);
      if (!layer) return;
      if (!light) {
        rows.push([layer.name, '', '', '', '', '']);
        return;
      }
      const level = light[0] * luminance[0] + light[1] * luminance[1] + light[2] * luminance[2];
      const stops = level > 0 ? signed(Math.log2(level / grey), 2) : '−';
      rows.push([layer.name, ...light.slice(0, 3).map(short), short(Number((level * white).toPrecision(4))), stops]);
    });
    const codes = inside && this.codeAt(at, place, picture);
    rows.push(['screen', ...(codes || ['', '', '']), '', '']);
    body.replaceChildren(...rows.map(([name, ...values]) => {
      const row = document.createElement('tr');
      row.append(Object.assign(document.createElement('th'), { textContent: name }));
      row.append(...values.map((value) => Object.assign(document.createElement('td'), { textContent: value })));
      return row;
    }));
  }

  /** 8-bit codes in the middle of a pixel, as they were drawn just now. */
  codeAt(at, place, picture) {
    if (state.highRange) return null;
    const x = Math.floor(place[0] + (at[0] + 0.5) * place[2]);
    const y = Math.floor(place[1] + (at[1] + 0.5) * place[3]);
    if (x < 0 || y < 0 || x >= picture.canvas.width || y >= picture.canvas.height) return null;
    return picture.read(x, y, 1, 1).slice(0, 3);
  }
}

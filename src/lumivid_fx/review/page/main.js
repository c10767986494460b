// The page: fetch what is to be shown, hear what is wanted, draw.

import { Frames, keyOf } from './frames.js';
import { HighRange } from './high_range.js';
import { keyTable, listKeys, listenToKeys } from './keys.js';
import { Panel } from './panel.js';
import { Picture } from './picture.js';
import { pixelAt, placeOf, windowOf } from './place.js';
import { Player, step } from './player.js';
import { change, listen, state } from './state.js';
import { Timeline } from './timeline.js';
import { listenToPointer } from './pointer.js';

const REST_MS = 140; // after so long on one frame it is fetched whole
const SMALL_PIXELS = 2.1e6; // what goes by quickly has at most so many
const AHEAD = 48; // frames fetched ahead at most, as memory allows

const byId = (id) => document.getElementById(id);

function tell(error) {
  byId('sentence').textContent = error.message ?? String(error);
  byId('sentence').hidden = false;
}

/** By how much sides are divided while frames go by. */
const smallScale = (layer) => [1, 2, 4, 8].find((scale) => (layer.width * layer.height) / scale ** 2 <= SMALL_PIXELS) ?? 8;

async function start() {
  const session = await fetch('session').then((answer) => answer.json());
  const canvas = byId('picture');
  const picture = new Picture(canvas, session);
  const byName = Object.fromEntries(session.layers.map((layer) => [layer.name, layer]));
  const [plates] = session.layers;
  Object.assign(state, { frame: session.frames[0], against: session.layers[1]?.name ?? null });

  Object.assign(canvas.dataset, { width: plates.windows.display_width, height: plates.windows.display_height });

  let drawn = null; // what stands on the screen: {a, b, whole}
  let waiting = false;
  let rest = 0;
  const loading = new Set(); // keys of shaders on their way
  const unloadable = new Map(); // key -> why
  const frames = new Frames(() => schedule());
  const scales = Object.fromEntries(session.layers.map((layer) => [layer.name, smallScale(layer)]));

  const shownLayers = () => [byName[state.shown], state.compare === 'off' ? null : byName[state.against]];
  const inRange = (layer, number) => number >= layer.first && number <= layer.last;
  const fullKey = (layer, number) => keyOf('frames', layer.name, number, 1);
  const smallKey = (layer, number) => keyOf('frames', layer.name, number, scales[layer.name]);
  const best = (layer, number) => frames.find(fullKey(layer, number)) ?? frames.find(smallKey(layer, number));
  const faultOf = (layer, number) => frames.fault(fullKey(layer, number));
  const isSettled = (layer, number) => frames.has(fullKey(layer, number)) || frames.has(smallKey(layer, number)) || faultOf(layer, number);
  const isHere = (number) => shownLayers().every((layer) => !layer || !inRange(layer, number) || isSettled(layer, number));

  const player = new Player(session, isHere);
  const timeline = new Timeline(byId('timeline'), session, (number) => {
    const [layer] = shownLayers();
    if (faultOf(layer, number)) return 'fault';
    return frames.has(fullKey(layer, number)) ? 'full' : frames.has(smallKey(layer, number)) && 'small';
  });
  const panel = new Panel(session, player);
  let highRange = null;
  async function offerHighRange() {
    if (HighRange.screen.matches) highRange ??= await HighRange.open(byId('high-range'), picture).catch(() => null);
    panel.offerHighRange(Boolean(highRange) && HighRange.screen.matches);
  }
  HighRange.screen.addEventListener('change', offerHighRange);
  offerHighRange();

  /** Keys of what should be here, the most urgent first. */
  function wanted() {
    const layers = shownLayers().filter(Boolean);
    const keys = [];
    const add = (number, key) => layers.forEach((layer) => inRange(layer, number) && keys.push(key(layer, number)));
    add(state.frame, smallKey);
    if (!isHere(state.frame)) return keys; // nothing else is worth waiting for
    if (!state.moving) {
      add(state.frame, fullKey);
      if (state.masks.generated) layers.filter((layer) => layer.generated).forEach((layer) => keys.push(keyOf('generated', layer.name, state.frame, 1)));
    }
    const bytes = layers.reduce((sum, layer) => sum + (layer.width * layer.height * 8) / scales[layer.name] ** 2, 0);
    const room = Math.min(AHEAD, Frames.room(bytes), session.frames.length - 1);
    const at = session.frames.indexOf(state.frame);
    const ahead = state.playing ? room : Math.min(room, 4);
    for (let i = 1; i <= ahead; i += 1) add(session.frames[(at + i) % session.frames.length], smallKey);
    if (!state.playing && at > 0) add(session.frames[at - 1], smallKey);
    return [...new Set(keys)];
  }

  function lookOf([a, b], [frameA, frameB]) {
    const place = placeOf(state, canvas, plates);
    const masks = ['clipped', 'negative', 'broken', 'generated'].map((name) => Number(state.masks[name]));
    const made = frames.find(keyOf('generated', a.name, state.frame, 1));
    if (!made) masks[3] = 0;
    return {
      view: `view-${state.view}`,
      a, b, place, masks, made,
      windows: [windowOf(frameA, a, plates), windowOf(frameB ?? frameA, b ?? a, plates)],
      display: [plates.windows.display_width, plates.windows.display_height],
      compare: b ? state.compare : 'off',
      wipe: state.wipe * canvas.width,
      gain: 2 ** state.exposure,
      gamma: state.gamma,
      channel: state.channel,
      falseColour: state.falseColour,
      toScreen: state.highRange ? session.to_rec709 : null,
    };
  }

  const none = { width: 1, height: 1, data: new Uint16Array(4), window: [0, 0, 1, 1], none: true };

  /** Draw what is here of what is wanted; the frame before stays until its successor has come. */
  function draw() {
    const layers = shownLayers();
    const needed = [`view-${state.view}`, ...layers.filter((layer) => layer?.is_picture).map((layer) => `own-${layer.name}`)];
    const unable = needed.find((key) => unloadable.has(key));
    if (unable) throw unloadable.get(unable);
    const awaited = needed.filter((key) => !picture.shaders.has(key));
    if (awaited.length) {
      for (const key of awaited.filter((name) => !loading.has(name))) {
        loading.add(key);
        picture.load(key).catch((error) => unloadable.set(key, error)).finally(() => { loading.delete(key); schedule(); });
      }
      return;
    }
    const [a, b] = layers.map((layer) => {
      if (!layer) return null;
      return best(layer, state.frame) ?? (faultOf(layer, state.frame) || !inRange(layer, state.frame) ? none : undefined);
    });
    const fault = layers.map((layer) => layer && faultOf(layer, state.frame)).find(Boolean);
    const outside = layers.find((layer) => layer && !inRange(layer, state.frame));
    byId('sentence').textContent = fault ?? (outside ? `${outside.file} has no frame beside ${state.frame}; it goes from ${outside.first} to ${outside.last} here.` : '');
    byId('sentence').hidden = !byId('sentence').textContent;
    if (a === undefined || b === undefined) return;
    const look = lookOf(layers, [a, b]);
    picture.show('lightA', a);
    picture.show('lightB', b ?? none);
    picture.show('madeA', look.made ?? none);
    const other = layers[1]?.generated && frames.find(keyOf('generated', layers[1].name, state.frame, 1));
    picture.show('madeB', other || none);
    byId('high-range').hidden = !state.highRange;
    if (state.highRange) highRange.draw(look);
    else picture.draw(look);
    const whole = [a, b].every((frame, i) => !frame || frame.none || frame === frames.find(fullKey(layers[i], state.frame)));
    drawn = { number: state.frame, layers, frames: [a, b], look, whole };
    byId('wipe-line').hidden = look.compare !== 'wipe';
    byId('wipe-line').style.left = `${state.wipe * 100}%`;
  }

  function render() {
    waiting = false;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    frames.want(wanted());
    try {
      draw();
    } catch (error) {
      tell(error);
    }
    panel.update(drawn, picture);
    if (drawn?.number !== state.frame && !byId('sentence').textContent) byId('resolution').textContent = `reading frame ${state.frame}`;
    timeline.draw();
  }

  function schedule() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(render);
  }

  function forgive() {
    frames.forgive();
    schedule();
  }

  listen((patch) => {
    if ('frame' in patch || 'playing' in patch || 'moving' in patch) {
      clearTimeout(rest);
      if (!state.playing && state.moving) rest = setTimeout(() => change({ moving: false }), REST_MS);
    }
    schedule();
  });
  new ResizeObserver(schedule).observe(canvas);
  const actions = { forgive, help: () => (byId('help').open ? byId('help').close() : byId('help').showModal()) };
  const table = keyTable(session, player, actions);
  listKeys(byId('keys'), table);
  listenToKeys(table);
  byId('help-button').addEventListener('click', actions.help);
  listenToPointer(canvas, () => placeOf(state, canvas, plates));
  canvas.addEventListener('webglcontextlost', () => tell(new Error('The graphics card was reset; reload the page.')));

  /** For a console, and for tests: what there is, and whether it stands on the screen, whole. */
  window.review = {
    session, state, change, picture, frames, player, panel, step: (by) => step(session, by),
    pixelAt: (x, y) => pixelAt([x, y], placeOf(state, canvas, plates)),
    place: () => placeOf(state, canvas, plates),
    settled: () => !waiting && !loading.size && !frames.busy && !panel.counting && !state.moving && drawn?.number === state.frame && drawn.whole,
    /** Codes of the picture, drawn anew, for a canvas forgets what it has shown. */
    codes: (x, y, width, height) => { draw(); return picture.read(x, y, width, height); },
    look: () => drawn.look,
  };
  change({});
}

start().catch(tell);

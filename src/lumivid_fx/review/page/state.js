// What is looked at and how, in one object; whoever shows something hears of a change.

export const STOPS = [-10, 10];

export const state = {
  frame: 0,
  playing: false,
  moving: false, // frames go by: smaller ones will do
  exposure: 0,
  gamma: 1,
  view: 0,
  channel: 'rgb',
  falseColour: false,
  highRange: false,
  shown: 'plates',
  compare: 'off',
  against: null,
  wipe: 0.5, // of the viewer's width
  masks: { clipped: false, negative: false, broken: false, generated: false },
  fit: true,
  zoom: 1, // device pixels a plate pixel
  pan: [0, 0], // of the picture's middle from the viewer's, device pixels
  pointer: null, // device pixels
  held: null, // a plate pixel
};

const listeners = [];

export const listen = (listener) => listeners.push(listener);

export function change(patch) {
  Object.assign(state, patch);
  for (const listener of listeners) listener(patch);
}

export const toggleMask = (name) => change({ masks: { ...state.masks, [name]: !state.masks[name] } });

export function setExposure(stops) {
  const cut = Math.min(Math.max(stops, STOPS[0]), STOPS[1]);
  change({ exposure: Math.round(cut * 100) / 100 });
}

// Where the plates' display window lies on the viewer's canvas, in device pixels; and where a layer's
// pixels lie in that window.

/** Origin x and y, then device pixels a plate pixel, across and down. */
export function placeOf(state, canvas, layer) {
  const { display_width: width, display_height: height } = layer.windows;
  const across = width * layer.aspect;
  const fit = Math.min(canvas.width / across, canvas.height / height);
  const zoom = state.fit ? fit : state.zoom;
  const [panX, panY] = state.fit ? [0, 0] : state.pan;
  // Whole device pixels, so that at 1:1 a pixel of the plate is one of the screen.
  const x = Math.round((canvas.width - across * zoom) / 2 + panX);
  const y = Math.round((canvas.height - height * zoom) / 2 + panY);
  return [x, y, zoom * layer.aspect, zoom];
}

/** A frame's data window inside the plates' display window; a layer of another size is scaled to it. */
export function windowOf(frame, layer, plates) {
  const across = plates.windows.display_width / layer.windows.display_width;
  const down = plates.windows.display_height / layer.windows.display_height;
  const [x, y, width, height] = frame.window;
  return [x * across, y * down, width * across, height * down];
}

/** The plates' pixel under a point of the canvas, from the display window's top left. */
export const pixelAt = ([x, y], place) => [Math.floor((x - place[0]) / place[2]), Math.floor((y - place[1]) / place[3])];

/** The texel of a frame at the middle of a pixel of the plates' display window, or null outside. */
export function texelAt([x, y], window, frame) {
  const column = Math.floor(((x + 0.5 - window[0]) / window[2]) * frame.width);
  const row = Math.floor(((y + 0.5 - window[1]) / window[3]) * frame.height);
  return column >= 0 && row >= 0 && column < frame.width && row < frame.height ? [column, row] : null;
}

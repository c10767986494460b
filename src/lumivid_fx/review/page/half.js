// Half floats as numbers. WebGL takes them as they are; numbers are for the probe and the scopes.

/** Value of each of the 65536 half floats. IEEE 754-2008, binary16. */
export const HALF_VALUES = new Float32Array(65536);
for (let code = 0; code < 65536; code += 1) {
  const sign = code & 0x8000 ? -1 : 1;
  const exponent = (code >> 10) & 31;
  const fraction = code & 1023;
  if (exponent === 0) HALF_VALUES[code] = sign * fraction * 2 ** -24;
  else if (exponent === 31) HALF_VALUES[code] = fraction ? NaN : sign * Infinity;
  else HALF_VALUES[code] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Red, green, blue and alpha of one pixel of a frame, as numbers. */
export function pixel(frame, x, y) {
  const at = (y * frame.width + x) * 4;
  return Array.from(frame.data.subarray(at, at + 4), (code) => HALF_VALUES[code]);
}

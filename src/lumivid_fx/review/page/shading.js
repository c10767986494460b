// The one fragment shader: two layers of light, compared, exposed, seen through a view, masked.
// The views' own functions come from the server as OpenColorIO wrote them, and stand before `main`.

export const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4. - 1., 0., 1.); }
`;

export const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler3D;
`;

// Some views of OpenColorIO's divide by the light on a graphics card, so that black is no number there;
// this is 1e-5 of an 8-bit step of sRGB over it.
const LIT = `
vec4 lit(vec3 light) { return vec4(light == vec3(0.) ? vec3(1e-9) : light, 1.); }
`;

/**
 * The body for one way of looking. Cards, and software in the place of one, may work out all branches of
 * a shader and keep one, so that only what is looked at stands in it.
 * @param how {compare, falseColour, highRange, a, b}: a and b the functions of the layers' codes
 * @param bands how many colours false colour has
 */
export const body = ({ compare, falseColour, highRange, a, b }, bands) => {
  let code = `${a}(lit(shown)).rgb`;
  if (falseColour) code = 'stops(shown)';
  else if (highRange) code = 'screened(shown)';
  else if (compare === 'difference') code = 'ocio_view(lit(shown)).rgb';
  else if (compare === 'wipe' && a !== b) code = `useB ? ${b}(lit(shown)).rgb : ${code}`;
  const light = { off: 'a', wipe: 'useB ? b : a', difference: 'vec4(abs(a.rgb - b.rgb), a.a)' }[compare];
  return `${LIT}
uniform sampler2D lightA, lightB, madeA, madeB;
uniform float height;         // of the canvas, device pixels
uniform vec4 place;           // of the plates' display window: origin and pixels a plate pixel
uniform vec2 display;         // its size, plate pixels
uniform vec4 windowA, windowB; // data windows in it: origin and size
uniform float wipe;           // device pixels from the left
uniform float gain, gamma;
uniform int channel;          // 0 colour, 1 to 3 one of them, 4 alpha, 5 luminance
uniform vec3 luminance, bands[${bands}];
uniform float grey;
uniform int lastStop;
uniform bvec4 masks;          // clipped, negative, no number, generated
uniform mat3 toCeilingA, toCeilingB, toScreen;
uniform float ceilingA, ceilingB, largest;
uniform vec3 surround, maskColours[4];
out vec4 screen;

bool holds(vec4 window, vec2 at) {
  return all(greaterThanEqual(at, window.xy)) && all(lessThan(at, window.xy + window.zw));
}
bool broken(vec3 light) { return any(isnan(light)) || any(isinf(light)); }

vec3 stops(vec3 light) {
  float level = dot(light, luminance) / grey;
  int stop = level > 0. ? int(clamp(floor(log2(level) + .5), -float(lastStop) - 1., float(lastStop) + 1.)) : -lastStop - 1;
  return bands[stop + lastStop + 1];
}
vec3 screened(vec3 light) { // codes of the screen beyond 1, sRGB's curve gone on
  vec3 l = toScreen * light, size = abs(l);
  return sign(l) * mix(size * 12.92, 1.055 * pow(size, vec3(1. / 2.4)) - .055, step(.0031308, size));
}
vec3 masked(vec3 code, vec3 light, mat3 toCeiling, float ceiling, float made) {
  // A thousandth under the ceiling: what lay on it may have been rounded down to half.
  bool clipped = any(greaterThanEqual(toCeiling * light, vec3(ceiling * (1. - 1. / 1024.)))) || any(greaterThanEqual(light, vec3(largest)));
  if (masks.w) code = mix(code, maskColours[3], .6 * clamp(made, 0., 1.));
  if (masks.y && any(lessThan(light, vec3(0.)))) code = maskColours[1];
  if (masks.x && clipped) code = maskColours[0];
  if (masks.z && broken(light)) code = maskColours[2];
  return code;
}

void main() {
  vec2 at = (vec2(gl_FragCoord.x, height - gl_FragCoord.y) - place.xy) / place.zw;
  vec2 atA = (at - windowA.xy) / windowA.zw, atB = (at - windowB.xy) / windowB.zw;
  vec4 a = holds(windowA, at) ? texture(lightA, atA) : vec4(0.);
  vec4 b = holds(windowB, at) ? texture(lightB, atB) : vec4(0.);
  bool useB = ${compare === 'wipe'} && gl_FragCoord.x >= wipe;
  vec4 light = ${light};
  vec3 shown = broken(light.rgb) ? vec3(0.) : light.rgb * gain;
  if (channel >= 1 && channel <= 3) shown = vec3(shown[channel - 1]);
  if (channel == 5) shown = vec3(dot(shown, luminance));
  vec3 code = channel == 4 ? vec3(light.a) : ${code};
  ${highRange ? '' : 'code = clamp(code, 0., 1.);'}
  if (gamma != 1.) code = pow(max(code, 0.), vec3(1. / gamma));
  ${compare === 'difference' ? '' : `float made = useB ? texture(madeB, atB).r : texture(madeA, atA).r;
  code = useB ? masked(code, light.rgb, toCeilingB, ceilingB, made) : masked(code, light.rgb, toCeilingA, ceilingA, made);`}
  screen = vec4(holds(vec4(0., 0., display), at) ? code : surround, 1.);
}
`;
};

/** Codes of a shader for light in a texture, one texel a pixel: how a card is measured. */
export const measure = (name) => `${LIT}
uniform sampler2D probe;
out vec4 screen;
void main() { screen = ${name}(lit(texelFetch(probe, ivec2(gl_FragCoord.xy), 0).rgb)); }
`;

// The picture: half-float textures, one shader, one triangle. What is drawn can be read back.

import { HEAD, VERTEX, body, measure } from './shading.js';

export const MASK_COLOURS = [[1, 0.231, 0.188], [0.184, 0.482, 1], [1, 0.902, 0], [0, 0.784, 0.706]];
const SURROUND = [118 / 255, 118 / 255, 118 / 255]; // 18 % grey in sRGB
const CHANNELS = ['rgb', 'r', 'g', 'b', 'a', 'y'];
const SLOTS = { lightA: 0, lightB: 1, madeA: 2, madeB: 3 };
const FIRST_TABLE = 4; // texture units before it hold frames

export class Picture {
  /** @throws {Error} with a sentence, where the browser has no WebGL 2 */
  constructor(canvas, session) {
    const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false, powerPreference: 'high-performance' });
    if (!gl) throw new Error('This browser has no WebGL 2, by which frames are shown; switch hardware acceleration on, or use another browser.');
    gl.getExtension('EXT_color_buffer_float'); // smaller sizes of half floats are made on the card
    gl.getExtension('OES_texture_float_linear'); // tables of views are interpolated
    gl.disable(gl.DITHER);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.gl = gl;
    this.canvas = canvas;
    this.session = session;
    this.shaders = new Map(); // key -> {function, text, tables}
    this.programs = new Map();
    this.errors = new Map(); // key -> how far from OpenColorIO's CPU, codes of 0 to 1
    this.slots = Object.fromEntries(Object.keys(SLOTS).map((name) => [name, { texture: gl.createTexture() }]));
    this.most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    for (const slot of Object.values(this.slots)) this.upload(slot, { width: 1, height: 1, data: new Uint16Array(4) });
  }

  /** Put a frame of light, or a mask, into a slot; nothing is done where it is there already. */
  show(name, frame) {
    const slot = this.slots[name];
    if (slot.frame !== frame) this.upload(slot, frame);
  }

  upload(slot, frame) {
    const { gl } = this;
    const { width, height, data } = frame;
    if (width > this.most || height > this.most) {
      throw new Error(`This graphics card takes pictures of ${this.most} pixels at most, and this one is ${width} x ${height}; review it at a smaller size.`);
    }
    const colour = data.length === width * height * 4;
    const [stored, format] = colour ? [gl.RGBA16F, gl.RGBA] : [gl.R16F, gl.RED];
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, slot.texture);
    if (slot.width === width && slot.height === height && slot.stored === stored) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, format, gl.HALF_FLOAT, data);
    } else {
      gl.texImage2D(gl.TEXTURE_2D, 0, stored, width, height, 0, format, gl.HALF_FLOAT, data);
    }
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    Object.assign(slot, { frame, width, height, stored, reduced: false });
  }

  /** Fetch a view's shader and measure it on this card; resolves to its error. */
  async load(key) {
    if (this.shaders.has(key)) return this.errors.get(key);
    const told = await asked(`shaders/${key}`).then((answer) => answer.json());
    const tables = await Promise.all(told.tables.map(async (table, index) => ({
      ...table,
      texture: this.table(table, new Float32Array(await asked(`shaders/${key}/tables/${index}`).then((a) => a.arrayBuffer()))),
    })));
    const shader = { ...told, tables };
    const probe = new Float32Array(await asked(`shaders/${key}/probe`).then((answer) => answer.arrayBuffer()));
    const error = this.measure(shader, probe);
    this.shaders.set(key, shader);
    this.errors.set(key, error);
    fetch(`shaders/${key}/error`, { method: 'POST', body: JSON.stringify({ error }) }).catch(() => {});
    return error;
  }

  table({ width, height, depth, channels, smooth }, values) {
    const { gl } = this;
    const target = depth ? gl.TEXTURE_3D : gl.TEXTURE_2D;
    const [stored, format] = channels === 1 ? [gl.R32F, gl.RED] : [gl.RGB32F, gl.RGB];
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(target, texture);
    if (depth) gl.texImage3D(target, 0, stored, width, height, depth, 0, format, gl.FLOAT, values);
    else gl.texImage2D(target, 0, stored, width, height, 0, format, gl.FLOAT, values);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, filter, smooth ? gl.LINEAR : gl.NEAREST);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(target, side, gl.CLAMP_TO_EDGE);
    return texture;
  }

  /** The largest difference between this card's codes and OpenColorIO's, both cut to the screen's. */
  measure(shader, probe) {
    const { gl } = this;
    const count = probe.length / 6;
    const width = Math.min(count, 256);
    const height = Math.ceil(count / width);
    const light = new Float32Array(width * height * 4);
    for (let i = 0; i < count; i += 1) light.set(probe.subarray(3 * i, 3 * i + 3), 4 * i);
    const [given, got] = [light, null].map((values) => {
      const texture = gl.createTexture();
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, width, height, 0, gl.RGBA, gl.FLOAT, values);
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
      return texture;
    });
    const program = this.link(HEAD + shader.text + measure(shader.function));
    const buffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, got, 0);
    gl.viewport(0, 0, width, height);
    gl.useProgram(program);
    gl.bindTexture(gl.TEXTURE_2D, given);
    gl.uniform1i(gl.getUniformLocation(program, 'probe'), 0);
    this.bindTables(program, [shader]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    const codes = new Float32Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, codes);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(buffer);
    gl.deleteTexture(given);
    gl.deleteTexture(got);
    gl.deleteProgram(program);
    const onScreen = (code) => Math.min(Math.max(code, 0), 1);
    let most = 0;
    for (let i = 0; i < count; i += 1) {
      for (let c = 0; c < 3; c += 1) {
        const apart = Math.abs(onScreen(codes[4 * i + c]) - onScreen(probe[3 * count + 3 * i + c]));
        most = Number.isNaN(apart) ? 1 : Math.max(most, apart);
      }
    }
    return most;
  }

  link(fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const logs = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader)).join(' ');
      throw new Error(`This graphics card cannot run the view (${logs.trim().slice(0, 200)}); choose another view or browser.`);
    }
    return program;
  }

  /** The program for a way of looking, made at its first use. */
  program({ view, a, b, compare, falseColour, toScreen }) {
    const plain = falseColour || toScreen; // neither needs a view
    const functionOf = (layer) => (layer?.is_picture ? `own-${layer.name}` : view);
    const used = plain ? [] : { off: [functionOf(a)], wipe: [functionOf(a), functionOf(b)], difference: [view] }[compare];
    const key = [compare, falseColour, Boolean(toScreen), ...used].join();
    if (!this.programs.has(key)) {
      const shaders = [...new Set(used)].map((name) => this.shaders.get(name));
      const [first, second] = used.map((name) => this.shaders.get(name).function);
      const how = { compare, falseColour, highRange: Boolean(toScreen), a: first, b: second };
      const text = HEAD + shaders.map((shader) => shader.text).join('\n') + body(how, this.session.false_colours.length);
      const program = this.link(text);
      const uniforms = new Map();
      for (let i = 0; i < this.gl.getProgramParameter(program, this.gl.ACTIVE_UNIFORMS); i += 1) {
        const { name } = this.gl.getActiveUniform(program, i);
        uniforms.set(name.replace('[0]', ''), this.gl.getUniformLocation(program, name));
      }
      this.programs.set(key, { program, shaders, uniforms });
    }
    return this.programs.get(key);
  }

  bindTables(program, shaders) {
    const { gl } = this;
    let unit = FIRST_TABLE;
    for (const { tables } of shaders) {
      for (const { sampler, depth, texture } of tables) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(depth ? gl.TEXTURE_3D : gl.TEXTURE_2D, texture);
        gl.uniform1i(gl.getUniformLocation(program, sampler), unit);
        unit += 1;
      }
    }
  }

  /**
   * Draw what is in the slots.
   * @param look {view, a, b, place, windows, display, compare, wipe, gain, gamma, channel,
   *   falseColour, masks, toScreen}; a and b are layers of the session, the view is loaded.
   */
  draw(look) {
    const { gl, session } = this;
    const { program, shaders, uniforms } = this.program(look);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.useProgram(program);
    for (const [name, unit] of Object.entries(SLOTS)) {
      const across = look.windows[name.endsWith('A') ? 0 : 1][2] * look.place[2];
      gl.activeTexture(gl.TEXTURE0 + unit);
      this.bind(this.slots[name], across / this.slots[name].width);
      gl.uniform1i(uniforms.get(name), unit);
    }
    this.bindTables(program, shaders);
    const one = (name, value) => gl.uniform1f(uniforms.get(name), value);
    const whole = (name, value) => gl.uniform1i(uniforms.get(name), value);
    const matrix = (name, rows) => gl.uniformMatrix3fv(uniforms.get(name), true, rows);
    one('height', this.canvas.height);
    gl.uniform4fv(uniforms.get('place'), look.place);
    gl.uniform2fv(uniforms.get('display'), look.display);
    gl.uniform4fv(uniforms.get('windowA'), look.windows[0]);
    gl.uniform4fv(uniforms.get('windowB'), look.windows[1]);
    one('wipe', look.wipe);
    one('gain', look.gain);
    one('gamma', look.gamma);
    whole('channel', CHANNELS.indexOf(look.channel));
    gl.uniform3fv(uniforms.get('luminance'), session.luminance);
    gl.uniform3fv(uniforms.get('bands'), session.false_colours.flat());
    one('grey', session.grey);
    whole('lastStop', session.last_stop);
    gl.uniform4iv(uniforms.get('masks'), look.masks);
    matrix('toScreen', look.toScreen ?? session.to_rec709);
    for (const [side, layer] of [['A', look.a], ['B', look.b ?? look.a]]) {
      matrix(`toCeiling${side}`, layer.ceiling.matrix);
      one(`ceiling${side}`, layer.ceiling.light);
    }
    one('largest', session.half_max);
    gl.uniform3fv(uniforms.get('surround'), SURROUND);
    gl.uniform3fv(uniforms.get('maskColours'), MASK_COLOURS.flat());
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** Bind a slot: pixels as they are where they are enlarged; where reduced, their mean as light. */
  bind(slot, zoom) {
    const { gl } = this;
    const reduce = zoom < 0.999; // of a texel; rounding may leave 1 a little under itself
    gl.bindTexture(gl.TEXTURE_2D, slot.texture);
    if (reduce && !slot.reduced) {
      gl.generateMipmap(gl.TEXTURE_2D);
      slot.reduced = true;
    }
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, reduce ? gl.LINEAR_MIPMAP_LINEAR : gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  /** 8-bit codes `height width 4` of what was just drawn, from the top left, before it is shown. */
  read(x, y, width, height) {
    const { gl } = this;
    const codes = new Uint8Array(width * height * 4);
    gl.readPixels(x, this.canvas.height - y - height, width, height, gl.RGBA, gl.UNSIGNED_BYTE, codes);
    const rows = [];
    for (let row = height - 1; row >= 0; row -= 1) rows.push(...codes.subarray(row * width * 4, (row + 1) * width * 4));
    return rows;
  }
}

async function asked(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

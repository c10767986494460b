// True HDR: where screen and browser can, light above 1 is shown brighter than the page's white. WebGPU
// is how browsers show that today, so that WebGL draws into a half-float buffer, which is handed over.

import { change } from './state.js';

export class HighRange {
  /** Resolves to one, or to null where the browser cannot. On a screen of SDR nothing is asked for. */
  static async open(canvas, picture) {
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
    const device = await adapter?.requestDevice().catch(() => null);
    const context = device && canvas.getContext('webgpu');
    if (!context || !picture.gl.getExtension('EXT_color_buffer_float')) return null;
    context.configure({
      device,
      format: 'rgba16float',
      usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
      colorSpace: 'srgb', // codes beyond 0 and 1 reach the colours beyond it
      toneMapping: { mode: 'extended' },
    });
    device.lost.then(() => change({ highRange: false }));
    const kept = context.getConfiguration?.().toneMapping?.mode;
    return kept === 'standard' ? null : new HighRange(canvas, picture, device, context);
  }

  /** Whether this screen shows more than SDR now; windows move between screens. */
  static get screen() { return window.matchMedia('(dynamic-range: high)'); }

  constructor(canvas, picture, device, context) {
    Object.assign(this, { canvas, picture, device, context });
    const { gl } = picture;
    this.buffer = gl.createFramebuffer();
    this.texture = gl.createTexture();
  }

  /** Draw a look and hand it over. */
  draw(look) {
    const codes = this.codesOf(look);
    const { width, height } = this;
    this.device.queue.writeTexture({ texture: this.context.getCurrentTexture() }, codes, { bytesPerRow: width * 8 }, [width, height]);
  }

  /** Half-float codes of a look, which go beyond 0 and 1, from the top left. */
  codesOf(look) {
    const { canvas, picture: { gl, canvas: { width, height } } } = this;
    if (this.width !== width || this.height !== height) {
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, this.texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA16F, width, height, 0, gl.RGBA, gl.HALF_FLOAT, null);
      this.codes = new Uint16Array(width * height * 4);
      this.rows = new Uint16Array(width * height * 4);
      Object.assign(this, { width, height });
      Object.assign(canvas, { width, height });
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0);
    this.picture.draw(look);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.HALF_FLOAT, this.codes);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    for (let y = 0; y < height; y += 1) { // WebGL's rows go upwards
      this.rows.set(this.codes.subarray(y * width * 4, (y + 1) * width * 4), (height - 1 - y) * width * 4);
    }
    return this.rows;
  }
}

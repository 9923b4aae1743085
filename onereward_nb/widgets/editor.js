// The mask editor in the browser, from the inside out:
//
//   Mask       pixels: shapes, fill, grow, bits
//   png        one bit per pixel, as a file
//   Drawing    mask, picture, margins and history of one widget, in step with Python
//   View       where the picture lies on the screen, and how it looks there
//   tools      what the pointer does
//   panel      toolbar, sliders, handles, keys
//
// Coordinates are pixels of the picture with its margins, from the top left corner; pixel (i, j) covers the
// square from (i, j) to (i + 1, j + 1). View holds the one transform between them and the screen.

// --- Mask -------------------------------------------------------------------------------------------

/** Which pixels are painted: 1 or 0 for each, row by row. Shapes cover the pixels whose centres they cover. */
class Mask {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint8Array(width * height);
  }

  /** A line with round ends; a dot if both ends are the same. A pixel-wide one has no gaps. Gives the box around it. */
  stroke([ax, ay], [bx, by], diameter, value) {
    const radius = Math.max(diameter / 2, 0.5);
    const length = Math.hypot(bx - ax, by - ay);
    const [nx, ny] = length ? [(-(by - ay) / length) * radius, ((bx - ax) / length) * radius] : [0, 0];
    const top = Math.floor(Math.min(ay, by) - radius);
    const bottom = Math.ceil(Math.max(ay, by) + radius);
    for (let row = Math.max(0, top); row < Math.min(this.height, bottom); row++) {
      const y = row + 0.5;
      let from = Infinity, to = -Infinity;
      const include = (x1, x2) => { from = Math.min(from, x1); to = Math.max(to, x2); };
      for (const [cx, cy] of [[ax, ay], [bx, by]]) {
        const half = Math.sqrt(radius ** 2 - (y - cy) ** 2); // NaN beside the disc
        if (half >= 0) include(cx - half, cx + half);
      }
      for (const side of length ? [1, -1] : []) {
        const t = (y - ay - side * ny) / (by - ay);
        if (t >= 0 && t <= 1) include(ax + side * nx + t * (bx - ax), ax + side * nx + t * (bx - ax));
      }
      this.span(row, from, to, value);
    }
    return [Math.min(ax, bx) - radius, top, Math.max(ax, bx) + radius, bottom];
  }

  /** The inside of a closed outline; parts that it goes around twice are inside, too. */
  polygon(points, value) {
    const edges = points.map((point, i) => [point, points[(i + 1) % points.length]]);
    const ys = points.map(([, y]) => y);
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(this.height, Math.ceil(bottom)); row++) {
      const y = row + 0.5;
      const crossings = [];
      for (const [[ax, ay], [bx, by]] of edges) {
        if ((ay <= y) !== (by <= y)) crossings.push([ax + ((y - ay) / (by - ay)) * (bx - ax), by > ay ? 1 : -1]);
      }
      crossings.sort((a, b) => a[0] - b[0]);
      let winding = 0;
      crossings.forEach(([x, direction], i) => {
        if (winding) this.span(row, crossings[i - 1][0], x, value);
        winding += direction;
      });
    }
  }

  /** All pixels that the rectangle between two points touches. */
  rectangle([ax, ay], [bx, by], value) {
    const [left, right] = [Math.floor(Math.min(ax, bx)), Math.ceil(Math.max(ax, bx))];
    const [top, bottom] = [Math.floor(Math.min(ay, by)), Math.ceil(Math.max(ay, by))];
    for (let row = Math.max(0, top); row < Math.min(this.height, bottom); row++) this.span(row, left, right, value);
  }

  /** The pixels of one row whose centres lie from x1 to x2. */
  span(row, x1, x2, value) {
    const from = Math.max(0, Math.ceil(x1 - 0.5));
    const to = Math.min(this.width, Math.floor(x2 - 0.5) + 1);
    if (from < to) this.pixels.fill(value, row * this.width + from, row * this.width + to);
  }

  /** What is connected to (x, y) through pixels that are not `value` yet and alike by `similar(x, y)`. */
  flood(x, y, similar, value) {
    const { width, height, pixels } = this;
    const open = (i, j) => pixels[j * width + i] !== value && similar(i, j);
    const waiting = [[x, y]];
    while (waiting.length) {
      let [i, j] = waiting.pop();
      if (!open(i, j)) continue;
      while (i > 0 && open(i - 1, j)) i--;
      let above = false, below = false; // whether the neighbour in that row is already waiting
      for (; i < width && open(i, j); i++) {
        pixels[j * width + i] = value;
        const isAbove = j > 0 && open(i, j - 1);
        const isBelow = j < height - 1 && open(i, j + 1);
        if (isAbove && !above) waiting.push([i, j - 1]);
        if (isBelow && !below) waiting.push([i, j + 1]);
        [above, below] = [isAbove, isBelow];
      }
    }
  }

  /** Everything alike, connected or not. */
  select(similar, value) {
    for (let j = 0, at = 0; j < this.height; j++) {
      for (let i = 0; i < this.width; i++, at++) if (similar(i, j)) this.pixels[at] = value;
    }
  }

  invert() {
    const { pixels } = this;
    for (let at = 0; at < pixels.length; at++) pixels[at] ^= 1;
  }

  /** `px` more pixels in every direction, corners square: as masks.grow in Python. */
  grow(px) {
    const { width, height, pixels } = this;
    // `far`: how many pixels ago the sweep left the mask. What one sweep paints misleads no other.
    const sweep = (at, far) => {
      if (pixels[at]) return 0;
      if (far < px) pixels[at] = 1;
      return far + 1;
    };
    for (let start = 0; start < pixels.length; start += width) {
      for (let i = 0, far = px; i < width; i++) far = sweep(start + i, far);
      for (let i = width - 1, far = px; i >= 0; i--) far = sweep(start + i, far);
    }
    const far = new Int32Array(width).fill(px);
    const sweepRow = (start) => far.forEach((_, i) => { far[i] = sweep(start + i, far[i]); });
    for (let j = 0; j < height; j++) sweepRow(j * width);
    far.fill(px);
    for (let j = height - 1; j >= 0; j--) sweepRow(j * width);
  }

  /** `px` fewer at every edge, except at the border of the picture. */
  shrink(px) {
    this.invert();
    this.grow(px);
    this.invert();
  }

  /** The same mask after a change of margins: it stays with the picture, new margins are painted. */
  moved(from, to) {
    const more = [0, 1].map((axis) => to[axis] + to[axis + 2] - from[axis] - from[axis + 2]);
    const moved = new Mask(this.width + more[0], this.height + more[1]);
    moved.pixels.fill(1);
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const [left, right] = [Math.max(0, -dx), Math.min(this.width, moved.width - dx)];
    for (let j = Math.max(0, -dy); j < Math.min(this.height, moved.height - dy); j++) {
      const row = this.pixels.subarray(j * this.width + left, j * this.width + right);
      moved.pixels.set(row, (j + dy) * moved.width + left + dx);
    }
    return moved;
  }

  share() {
    const { pixels } = this;
    let count = 0;
    for (let at = 0; at < pixels.length; at++) count += pixels[at];
    return count / pixels.length;
  }

  /** The rows of a PNG: one bit per pixel, after a byte that says that the row is not filtered. */
  rows() {
    const { width, height, pixels } = this;
    const stride = (width + 7 >> 3) + 1;
    const rows = new Uint8Array(stride * height);
    for (let j = 0, at = 0; j < height; j++) {
      for (let i = 0; i < width; i++, at++) rows[j * stride + 1 + (i >> 3)] |= pixels[at] << (7 - (i & 7));
    }
    return rows;
  }

  static fromRows(width, height, rows) {
    const mask = new Mask(width, height);
    const stride = (width + 7 >> 3) + 1;
    for (let j = 0, at = 0; j < height; j++) {
      for (let i = 0; i < width; i++, at++) mask.pixels[at] = rows[j * stride + 1 + (i >> 3)] >> (7 - (i & 7)) & 1;
    }
    return mask;
  }
}

function union(a, b) {
  return a && b ? [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])] : a || b;
}

// --- png --------------------------------------------------------------------------------------------

const LARGEST_MESSAGE = 1_000_000; // bytes, as in png.py

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

async function encodePng(width, height, rows) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 1); // bits per pixel; the rest says grey, and no interlacing
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const signature = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  const chunks = [pngChunk("IHDR", new Uint8Array(header.buffer)), pngChunk("IDAT", data), pngChunk("IEND", [])];
  return new Uint8Array(await new Blob([signature, ...chunks]).arrayBuffer());
}

function pngChunk(name, data) {
  const chunk = new Uint8Array(data.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  chunk.set([...name].map((letter) => letter.charCodeAt()), 4);
  chunk.set(data, 8);
  let crc = -1;
  for (let at = 4; at < data.length + 8; at++) crc = CRC_TABLE[(crc ^ chunk[at]) & 255] ^ (crc >>> 8);
  view.setUint32(data.length + 8, ~crc);
  return chunk;
}

/** The mask in a PNG from Python: white is painted. */
async function decodePng(bytes) {
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const mask = new Mask(bitmap.width, bitmap.height);
  const pixels = pixelsOf(bitmap, bitmap.width, bitmap.height);
  for (let at = 0; at < mask.pixels.length; at++) mask.pixels[at] = pixels[4 * at] >> 7;
  return mask;
}

function pixelsOf(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

function bytesOf(buffer) {
  return buffer.buffer ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer);
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

// --- Drawing ----------------------------------------------------------------------------------------

const HISTORY_STEPS = 100;
const HISTORY_BYTES = 64_000_000;
const PATIENCE = 3000; // milliseconds until Python should have answered
const LATE = "Not in Python yet. It may be busy; if it was restarted, run the cell again.";
const NO_MARGINS = [0, 0, 0, 0];
const LARGEST_SIDE = 8192;

/** What one widget draws: shared by all its views, and in step with Python. */
class Drawing {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.rev = 0;
    this.message = "";
    this.notice = "";
    this.history = [];
    this.now = -1; // where in the history we are
    this.margins = NO_MARGINS;
    this.pictureSize = [];
    this.followed = Promise.resolve();
    const follow = () => {
      this.followed = this.followed
        .then(() => this.follow())
        .catch((error) => this.say(`Cannot be shown: ${error.message}`));
    };
    for (const name of ["_preview", "_png", "rev", "message"]) model.on(`change:${name}`, follow);
    follow();
  }

  get size() { return [this.mask.width, this.mask.height]; }
  get state() { return this.history[this.now]; }

  tell(box) { // which part of the mask has changed: [left, top, right, bottom]; everything without
    for (const view of this.views) view.refresh(box);
  }

  // changing

  /** Make what was painted since the last step a step of its own, and send it to Python. */
  commit() {
    const rows = this.mask.rows();
    if (this.state && sameBytes(rows, this.state.rows) && this.margins.join() === this.state.margins.join()) return;
    this.remember(rows);
    this.send();
    this.tell();
  }

  remember(rows) {
    this.share = this.mask.share();
    this.history.splice(this.now + 1);
    const { margins, share, mask: { width, height } } = this;
    const { history } = this;
    history.push({ margins, share, width, height, rows });
    const bytes = () => history.reduce((sum, step) => sum + step.rows.length, 0);
    while (history.length > HISTORY_STEPS || (history.length > 2 && bytes() > HISTORY_BYTES)) history.shift();
    this.now = history.length - 1;
  }

  /** Take back what was painted since the last step. */
  revert() {
    const { margins, share, width, height, rows } = this.state;
    [this.margins, this.share] = [margins, share];
    this.mask = Mask.fromRows(width, height, rows);
    this.tell();
  }

  canGo(steps) { return this.now + steps in this.history; }

  /** Undo is one step back, redo one forward. */
  go(steps) {
    if (!this.canGo(steps)) return;
    this.now += steps;
    this.revert();
    this.send();
  }

  change(operation) {
    operation(this.mask);
    this.commit();
  }

  extend(margins) {
    const limited = margins.map((px) => Math.max(0, Math.round(px)));
    if ([0, 1].some((axis) => this.pictureSize[axis] + limited[axis] + limited[axis + 2] > LARGEST_SIDE)) {
      this.say(`The picture can be extended to ${LARGEST_SIDE} pixels on a side.`);
      return;
    }
    this.mask = this.mask.moved(this.margins, limited);
    this.margins = limited;
    this.commit();
  }

  /** Colours to compare: similar([x, y], tolerance) is a function of (x, y). */
  similar([x, y], tolerance) {
    const [width, height] = this.pictureSize;
    const [left, top] = this.margins;
    const { width: across, height: down } = this.picture;
    this.colours ??= pixelsOf(this.picture, across, down);
    const colours = this.colours;
    const at = (i, j) => { // in `colours`; -1 in the margins, which are alike
      if (i < left || j < top || i >= left + width || j >= top + height) return -1;
      return 4 * (Math.floor(((j - top) * down) / height) * across + Math.floor(((i - left) * across) / width));
    };
    const from = at(x, y);
    const near = (a, b) => Math.abs(colours[a] - colours[b]) <= tolerance;
    return (i, j) => {
      const to = at(i, j);
      if (from < 0 || to < 0) return from === to || tolerance === 255;
      return near(from, to) && near(from + 1, to + 1) && near(from + 2, to + 2);
    };
  }

  // with Python

  async send() {
    if (this.encoding) return; // what is being encoded will be found to be old, and encoded anew
    this.encoding = true;
    let state, png;
    try {
      do {
        state = this.state;
        png = await encodePng(state.width, state.height, state.rows);
      } while (state !== this.state);
      if (png.length > LARGEST_MESSAGE) {
        throw new Error(`this mask takes ${(png.length / 1e6).toFixed(1)} MB. Smooth it by growing it, or undo.`);
      }
    } catch (error) { // this, or a browser without CompressionStream
      this.say(`Not sent to Python: ${error.message}`);
      return;
    } finally {
      this.encoding = false;
      clearTimeout(this.waiting);
    }
    this.say("");
    this.post(state, { _png: new DataView(png.buffer), _png_text: "" });
    this.waiting = setTimeout(() => {
      this.say(LATE);
      this.post(state, { _png_text: base64(png) }); // some front ends lose binary messages
    }, PATIENCE);
  }

  post({ margins }, content) {
    for (const [name, value] of Object.entries(content)) this.model.set(name, value);
    this.png = this.model.get("_png"); // the old one if it holds the same bytes
    this.model.set("_sent", [this.model.get("_sent")[0] + 1, ...margins]);
    this.model.save_changes();
  }

  /** Show what Python has now, unless we have it from here. */
  async follow() {
    const { model } = this;
    const [preview, png, rev, message] = ["_preview", "_png", "rev", "message"].map((name) => model.get(name));
    // Python has taken a drawing, or refused it: with its own mask, and in words that it may have said before.
    const answered = rev !== this.rev || png !== this.png || message !== this.message;
    if (preview !== this.preview) {
      this.picture = await createImageBitmap(new Blob([bytesOf(preview)]));
      this.preview = preview;
      this.colours = null;
    }
    if (png !== this.png || model.get("_size").join() !== this.pictureSize.join()) await this.take(png);
    if (answered) {
      [this.rev, this.message] = [rev, message];
      clearTimeout(this.waiting);
      if (this.notice === LATE) this.say("");
    }
    this.tell();
  }

  async take(png) {
    const mask = await decodePng(bytesOf(png));
    const [width, height] = this.model.get("_size");
    const margins = [...this.model.get("margins")];
    if (mask.width !== width + margins[0] + margins[2] || mask.height !== height + margins[1] + margins[3]) return;
    if (this.pictureSize.join() !== [width, height].join()) [this.history, this.now] = [[], -1];
    this.png = png;
    this.pictureSize = [width, height];
    this.margins = margins;
    this.mask = mask;
    const rows = mask.rows();
    if (!this.state || !sameBytes(rows, this.state.rows)) this.remember(rows);
  }

  say(notice) {
    this.notice = notice;
    for (const view of this.views) view.panel.update();
  }
}

function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

// --- View -------------------------------------------------------------------------------------------

const PADDING = 32; // CSS pixels around the picture, for the handles
const HIGHEST_SHOWN = 512; // CSS pixels of the picture's height, at first
const LARGEST_SCALE = 64;
const GREY = "#7f7f7f"; // of the canvas around an extended picture, as masks.extend_canvas has it

/** One drawing surface on the page. `scale`, `x`, `y` take picture pixels to CSS pixels of the canvas. */
class View {
  constructor(drawing, model, el) {
    this.drawing = drawing;
    this.model = model;
    this.inverted = false;
    this.canvas = element("canvas", { "data-testid": "mask-canvas", role: "img", "aria-label": "Picture and mask" });
    this.stage = element("div", { class: "onr-stage" }, this.canvas);
    this.root = element("div", {
      class: "onr-editor", tabindex: 0, role: "application", "aria-label": "Mask editor",
      "data-lm-suppress-shortcuts": "true", // of JupyterLab and Notebook 7
    });
    this.overlay = new OffscreenCanvas(1, 1);
    this.tools = Object.fromEntries(Object.entries(TOOLS).map(([name, Tool]) => [name, new Tool(this)]));
    this.panel = new Panel(this);
    this.handles = SIDES.map((side) => new Handle(this, side));
    this.root.append(this.panel.toolbar, this.panel.settings, this.stage, this.panel.status);
    el.append(this.root);
    listenToPointers(this);
    listenToKeys(this);
    for (const name of SETTINGS) model.on(`change:${name}`, () => this.refresh());
    drawing.views.add(this);
    this.resizing = new ResizeObserver(() => { if (this.root.clientWidth !== this.fittedWidth) this.fit(); });
    this.resizing.observe(this.root);
    this.refresh();
  }

  remove() {
    this.drawing.views.delete(this);
    this.resizing.disconnect();
    this.root.remove();
  }

  get tool() { return this.tools[this.model.get("tool")]; }

  set(settings) {
    if ("tool" in settings) this.cancel();
    for (const [name, value] of Object.entries(settings)) this.model.set(name, value);
    this.model.save_changes();
  }

  get erasing() { return this.model.get("erase") !== this.inverted; }

  press(point, event) {
    this.inverted = event.button === 2 || event.button === 5; // right button, or the far end of a pen
    this.pressed = true;
    this.tool.begin(point, event);
  }

  release() {
    if (this.pressed) this.tool.end();
    this.pressed = false;
  }

  /** Give up what is being drawn; `forTheMoment` keeps the corners that a polygon had before this press. */
  cancel(forTheMoment) {
    if (forTheMoment && this.tool.undo) this.tool.undo();
    else this.tool.cancel();
    this.pressed = false;
  }

  undo() { return this.tool.undo?.() || this.drawing.go(-1); }

  /** Change the size of the brush by `factor`, by one pixel at least. */
  resize(factor) {
    const size = this.model.get("brush_size");
    const changed = Math.round(factor > 1 ? Math.max(size + 1, size * factor) : Math.min(size - 1, size * factor));
    this.set({ brush_size: Math.min(this.largestBrush, Math.max(1, changed)) });
  }

  holdSpace(held) {
    this.spaceHeld = held;
    this.canvas.classList.toggle("onr-grab", held);
  }

  peek(held) {
    if (held === Boolean(this.peeking)) return;
    this.peeking = held;
    this.refresh();
  }

  /** Show what the canvas would be with other margins; null hides it. */
  showGhost(margins) {
    const [left, top] = this.drawing.margins;
    const [width, height] = this.drawing.pictureSize;
    this.ghost = margins && [left - margins[0], top - margins[1], left + width + margins[2], top + height + margins[3]];
    this.refresh();
  }

  sizeInWords() {
    const size = this.drawing.pictureSize.join(" × ");
    const [left, top, right, bottom] = this.ghost ?? [0, 0, ...this.drawing.size];
    const extended = `${right - left} × ${bottom - top}`;
    return `${size === extended ? size : `${size} → ${extended}`} px`;
  }

  // by keyboard

  /** The arrow keys move the pointer by one pixel, with Shift by ten. */
  moveByKeyboard({ key, shiftKey }) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    const [x, y] = this.pointer ?? this.middle().map(Math.floor);
    this.pointer = [x + dx * (shiftKey ? 10 : 1), y + dy * (shiftKey ? 10 : 1)];
    this.byKeyboard = true;
    if (this.pressed) this.tool.drag(this.pointer, {});
    this.refresh();
  }

  /** Enter presses the button at the pointer and lets go of it; a polygon gets a corner, or is closed. */
  pressByKeyboard(event) {
    if (this.pressed) return this.release();
    const corner = this.tool.points?.at(-1);
    if (corner && (!this.byKeyboard || corner.join() === this.pointer.join())) return this.tool.finish();
    this.pointer ??= this.middle().map(Math.floor);
    this.byKeyboard = true;
    this.press(this.pointer, event);
    if (this.tool.finish) this.release();
  }

  /** Esc gives up the shape being drawn; then it gives the keys back to the notebook. */
  leave() {
    if (this.pressed || this.tool.points?.length) return this.cancel();
    const around = this.root.parentElement.closest("[tabindex]");
    if (around) around.focus({ preventScroll: true });
    else document.activeElement.blur();
  }

  get largestBrush() { return Math.max(16, Math.round(Math.max(...this.drawing.size) / 2)); }

  // transform

  /** The whole picture, as large as comfortable; small ones by a whole number, so that all pixels are alike. */
  fit() {
    if (!this.drawing.mask) return;
    const [width, height] = this.drawing.size;
    const scale = Math.min((this.root.clientWidth - 2 * PADDING) / width, HIGHEST_SHOWN / height);
    const dpr = window.devicePixelRatio;
    this.fitted = Math.max(scale > 1 ? Math.floor(scale * dpr) / dpr : scale, 1 / LARGEST_SIDE);
    this.stage.style.height = `${Math.round(height * this.fitted + 2 * PADDING)}px`;
    this.scale = this.fitted;
    this.fittedWidth = this.root.clientWidth;
    const snap = (px) => Math.round(px * dpr) / dpr;
    this.x = snap((this.stage.clientWidth - width * this.scale) / 2);
    this.y = snap((this.stage.clientHeight - height * this.scale) / 2);
    this.shown = [width, height].join();
    this.refresh();
  }

  toPicture({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const zoom = this.canvas.clientWidth / box.width; // of the page, by CSS
    return [((clientX - box.left) * zoom - this.x) / this.scale, ((clientY - box.top) * zoom - this.y) / this.scale];
  }

  toStage([x, y]) { return [x * this.scale + this.x, y * this.scale + this.y]; }

  /** Zoom by `factor` so that `point` of the picture stays where it is. */
  zoom(factor, point = this.middle()) {
    const scale = Math.min(LARGEST_SCALE, Math.max(this.fitted / 2, this.scale * factor));
    this.x += point[0] * (this.scale - scale);
    this.y += point[1] * (this.scale - scale);
    this.scale = scale;
    this.refresh();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.refresh();
  }

  middle() {
    return [(this.stage.clientWidth / 2 - this.x) / this.scale, (this.stage.clientHeight / 2 - this.y) / this.scale];
  }

  // looks

  /** Have the frame drawn anew, with the mask sampled in `box`; without one, everything. */
  refresh(box) {
    const { drawing } = this;
    if (!drawing.mask) return;
    this.canvas.dataset.syncedRev = drawing.rev;
    if (this.shown !== drawing.size.join()) return this.fit();
    this.stale = box ? union(this.stale, box) : [0, 0, ...drawing.size];
    this.wholly ||= !box;
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = null;
    const { canvas, stage, drawing } = this;
    const dpr = window.devicePixelRatio;
    const [width, height] = [Math.round(stage.clientWidth * dpr), Math.round(stage.clientHeight * dpr)];
    if (!width || !height) return; // not on the page, or in a hidden tab
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [this.overlay.width, this.overlay.height] = [width, height];
      this.wholly = true;
    }
    if (this.wholly) {
      this.overlay.getContext("2d").clearRect(0, 0, width, height);
      this.stale = [0, 0, ...drawing.size];
      this.panel.update();
      for (const handle of this.handles) handle.place();
    }
    if (this.stale) this.sample(this.stale, dpr);
    [this.stale, this.wholly] = [null, false];

    canvas.dataset.transform = `${this.x} ${this.y} ${this.scale}`; // for tests, which draw in picture pixels
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(dpr * this.scale, 0, 0, dpr * this.scale, dpr * this.x, dpr * this.y);
    context.fillStyle = GREY;
    context.fillRect(0, 0, ...drawing.size);
    context.imageSmoothingEnabled = this.scale * drawing.pictureSize[0] / drawing.picture.width < 3;
    context.drawImage(drawing.picture, drawing.margins[0], drawing.margins[1], ...drawing.pictureSize);
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (!this.peeking) {
      context.globalAlpha = this.model.get("opacity");
      context.drawImage(this.overlay, 0, 0);
      context.globalAlpha = 1;
    }
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    this.drawOutlines(context);
  }

  /** Bring the overlay up to date inside `box`. A pixel of the screen is as opaque as its share of the mask. */
  sample(box, dpr) {
    const { width, height, pixels } = this.drawing.mask;
    const scale = this.scale * dpr;
    const samples = Math.min(3, Math.ceil(1 / scale)); // of the mask, along each side of a screen pixel
    const within = (end, at) => Math.min(end, Math.max(0, at));
    const onScreen = (from, to, offset, end) =>
      [within(end, Math.floor(from * scale + offset * dpr)), within(end, Math.ceil(to * scale + offset * dpr))];
    const [left, right] = onScreen(box[0], box[2], this.x, this.overlay.width);
    const [top, bottom] = onScreen(box[1], box[3], this.y, this.overlay.height);
    if (left >= right || top >= bottom) return;

    const inMask = (from, to, offset, size) => Int32Array.from({ length: (to - from) * samples }, (_, n) => {
      const at = Math.floor((from + (n + 0.5) / samples - offset * dpr) / scale);
      return at >= 0 && at < size ? at : -1;
    });
    const columns = inMask(left, right, this.x, width);
    const rows = inMask(top, bottom, this.y, height);
    const [red, green, blue] = rgb(this.model.get("colour"));
    const shades = Uint32Array.from({ length: samples ** 2 + 1 }, (_, n) =>
      (Math.round((255 * n) / samples ** 2) << 24 | blue << 16 | green << 8 | red) >>> 0);
    const image = new ImageData(right - left, bottom - top);
    const shown = new Uint32Array(image.data.buffer);
    const counts = new Uint8Array(right - left);
    for (let y = 0; y < bottom - top; y++) {
      counts.fill(0);
      for (const row of rows.subarray(y * samples, (y + 1) * samples)) {
        if (row < 0) continue;
        for (let n = 0; n < columns.length; n++) {
          if (columns[n] >= 0) counts[n / samples | 0] += pixels[row * width + columns[n]];
        }
      }
      for (let x = 0; x < counts.length; x++) shown[y * counts.length + x] = shades[counts[x]];
    }
    this.overlay.getContext("2d").putImageData(image, left, top);
  }

  /** Words in the middle of the picture. */
  drawLabel(context, words) {
    const [x, y] = this.toStage(this.drawing.size.map((px) => px / 2));
    context.font = `14px ${getComputedStyle(this.root).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const width = context.measureText(words).width + 20;
    context.fillStyle = "rgb(0 0 0 / 75%)";
    context.beginPath();
    context.roundRect(x - width / 2, y - 14, width, 28, 6);
    context.fill();
    context.fillStyle = "#fff";
    context.fillText(words, x, y);
  }

  /** The shape being drawn, the canvas being extended, and the brush: dark and light, to be seen on anything. */
  drawOutlines(context) {
    const { points = [], closed } = this.tool.outline?.() ?? {};
    if (points.length) {
      const shape = new Path2D();
      for (const point of points) shape.lineTo(...this.toStage(point));
      if (closed) shape.closePath();
      context.globalAlpha = 0.3;
      context.fillStyle = this.erasing ? "#fff" : this.model.get("colour");
      if (closed) context.fill(shape, "nonzero");
      context.globalAlpha = 1;
      twoTone(context, shape, [5, 4]);
    }
    if (this.ghost) {
      const [left, top] = this.toStage(this.ghost);
      const [right, bottom] = this.toStage(this.ghost.slice(2));
      const frame = new Path2D();
      frame.rect(left, top, right - left, bottom - top);
      twoTone(context, frame, [5, 4]);
      this.drawLabel(context, this.sizeInWords());
    }
    if (this.pointer && this.model.get("tool") === "brush" && !this.panning) {
      const ring = new Path2D();
      const radius = (this.model.get("brush_size") / 2) * this.scale;
      ring.arc(...this.toStage(this.pointer), Math.max(1.5, radius), 0, 2 * Math.PI);
      twoTone(context, ring);
    } else if (this.pointer && this.byKeyboard) {
      const [x, y] = this.toStage(this.pointer);
      twoTone(context, new Path2D(`M${x - 8} ${y}H${x + 8}M${x} ${y - 8}V${y + 8}`));
    }
  }
}

function twoTone(context, path, dashes = []) {
  context.setLineDash([]);
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.stroke(path);
  context.setLineDash(dashes);
  context.lineWidth = 1.25;
  context.strokeStyle = "#fff";
  context.stroke(path);
}

function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// --- tools ------------------------------------------------------------------------------------------

/** Brush and eraser. With Shift, a straight line from where the last stroke ended. */
class Brush {
  constructor(view) { this.view = view; }

  begin(point, event) {
    this.value = this.view.erasing ? 0 : 1;
    this.from = event.shiftKey && this.last ? this.last : this.placed(point);
    this.drag(point, event);
  }

  drag(point, event) {
    const { drawing } = this.view;
    const pressed = event.pointerType === "pen" && event.pressure ? 0.3 + 0.7 * event.pressure : 1;
    const to = this.placed(point);
    drawing.tell(drawing.mask.stroke(this.from, to, this.view.model.get("brush_size") * pressed, this.value));
    this.from = to;
  }

  /** A brush of one pixel hits pixels in their middle. */
  placed(point) {
    return this.view.model.get("brush_size") < 2 ? point.map((at) => Math.floor(at) + 0.5) : point;
  }

  end() {
    this.last = this.from;
    this.view.drawing.commit();
  }

  cancel() {
    if (this.view.pressed) this.view.drawing.revert();
  }
}

/** A shape that is filled when it is finished. */
class Shape {
  constructor(view) {
    this.view = view;
    this.points = [];
  }

  begin(point) {
    this.value = this.view.erasing ? 0 : 1;
    this.points = [point];
  }

  drag(point) {
    this.points.push(point);
    this.view.refresh([0, 0, 0, 0]);
  }

  end() {
    const points = this.points;
    this.points = [];
    if (points.length > 1) this.view.drawing.change((mask) => this.fill(mask, points));
    this.view.refresh();
  }

  cancel() {
    this.points = [];
    this.view.refresh();
  }
}

class Rectangle extends Shape {
  drag(point) {
    this.points[1] = point;
    this.view.refresh([0, 0, 0, 0]);
  }

  outline() {
    if (this.points.length < 2) return null;
    const [[ax, ay], [bx, by]] = this.points;
    return { points: [[ax, ay], [bx, ay], [bx, by], [ax, by]], closed: true };
  }

  fill(mask, [from, to]) { mask.rectangle(from, to, this.value); }
}

class Lasso extends Shape {
  outline() { return { points: this.points, closed: this.points.length > 2 }; }

  fill(mask, points) { mask.polygon(points, this.value); }
}

/** Corner by corner; closed at the first corner, by a double click or by Enter. */
class Polygon extends Lasso {
  begin(point) {
    if (!this.points.length) return super.begin(point);
    if (this.points.length > 2 && this.near(point, this.points[0])) return this.finish();
    this.points.push(point);
  }

  drag(point) {
    if (this.points.length) this.points[this.points.length - 1] = point;
    this.view.refresh();
  }

  end() { this.view.refresh(); } // of one corner

  finish() { super.end(); }

  undo() { // takes back one corner, if there is one
    this.view.refresh();
    return this.points.pop();
  }

  near(a, b) { return Math.hypot(a[0] - b[0], a[1] - b[1]) * this.view.scale < 10; }

  outline() {
    const { points, view } = this;
    return { points: points.length && view.pointer ? [...points, view.pointer] : points, closed: points.length > 1 };
  }
}

/** Similar colours around a point, up to what is already painted. With Shift, in the whole picture. */
class Fill {
  constructor(view) { this.view = view; }

  begin(point, { shiftKey }) {
    const { drawing, model, erasing } = this.view;
    const value = erasing ? 0 : 1;
    const at = point.map(Math.floor);
    if (at.some((px, axis) => px < 0 || px >= drawing.size[axis])) return;
    const similar = drawing.similar(at, model.get("tolerance"));
    drawing.change((mask) => (shiftKey ? mask.select(similar, value) : mask.flood(...at, similar, value)));
  }

  drag() {}
  end() {}
  cancel() {}
}

const TOOLS = { brush: Brush, rectangle: Rectangle, lasso: Lasso, polygon: Polygon, fill: Fill };
const SETTINGS = ["tool", "erase", "brush_size", "tolerance", "colour", "opacity", "message"];

// --- pointers ---------------------------------------------------------------------------------------

/** Mouse, pen and one finger draw; two fingers, the middle button or Space move and zoom. */
function listenToPointers(view) {
  const { canvas, root } = view;
  const fingers = new Map();
  let pinch = null;

  const forget = (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinch = null;
  };

  canvas.addEventListener("pointerdown", (event) => {
    root.focus({ preventScroll: true });
    if (!view.drawing.mask) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    view.byKeyboard = false;
    if (fingers.size === 2) {
      view.cancel(true);
      pinch = spread(fingers);
    } else if (fingers.size === 1) {
      view.panning = view.spaceHeld || event.button === 1;
      if (!view.panning) view.press(view.toPicture(event), event);
    }
    event.preventDefault();
  });

  canvas.addEventListener("pointermove", (event) => {
    view.pointer = view.toPicture(event);
    const before = fingers.get(event.pointerId);
    if (before) fingers.set(event.pointerId, event);
    if (pinch) {
      const now = spread(fingers);
      view.pan(now.clientX - pinch.clientX, now.clientY - pinch.clientY);
      view.zoom(now.distance / pinch.distance, view.toPicture(now));
      pinch = now;
    } else if (before && view.panning) {
      view.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    } else if (view.pressed) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) view.tool.drag(view.toPicture(each), each);
    }
    view.refresh([0, 0, 0, 0]);
  });

  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      forget(event);
      if (!fingers.size) view.panning = false;
      view.release();
    });
  }

  canvas.addEventListener("pointerleave", () => {
    view.pointer = null;
    view.refresh([0, 0, 0, 0]);
  });
  canvas.addEventListener("dblclick", () => view.tool.finish?.());
  canvas.addEventListener("contextmenu", (event) => { // the right button erases
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("wheel", (event) => {
    const turned = Math.exp(-event.deltaY / 400);
    if (event.ctrlKey || event.metaKey) view.resize(turned);
    else if (root.matches(":focus-within")) view.zoom(turned, view.toPicture(event));
    else return; // the page scrolls
    event.preventDefault();
    event.stopPropagation();
  }, { passive: false });
}

/** Two fingers: the point between them, and their distance. */
function spread(fingers) {
  const [a, b] = fingers.values();
  return {
    clientX: (a.clientX + b.clientX) / 2,
    clientY: (a.clientY + b.clientY) / 2,
    distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1,
  };
}

// --- panel ------------------------------------------------------------------------------------------

/** What buttons and keys do. `on`: whether the button is pressed; `can`: whether it would do anything. */
const COMMANDS = [
  [
    brushCommand("brush", "Brush", "b", false),
    brushCommand("eraser", "Eraser", "e", true),
    toolCommand("rectangle", "Rectangle", "u"),
    toolCommand("lasso", "Lasso", "l"),
    toolCommand("polygon", "Polygon: a click for each corner, a double click to close", "p"),
    toolCommand("fill", "Fill similar colours, up to what is painted; Shift: in the whole picture", "g"),
    {
      icon: "swap", label: "Swap painting and erasing", key: "x",
      run: (view) => view.set({ erase: !view.model.get("erase") }), on: (view) => view.model.get("erase"),
    },
  ],
  [
    {
      icon: "undo", label: "Undo", key: "Mod+z",
      run: (view) => view.undo(), can: (view) => view.drawing.canGo(-1) || view.tool.points?.length,
    },
    {
      icon: "redo", label: "Redo", key: "Mod+Shift+z", also: "Mod+y",
      run: (view) => view.drawing.go(1), can: (view) => view.drawing.canGo(1),
    },
  ],
  [
    maskCommand("grow", "Grow: by one pixel, in large pictures by more", ".", (mask) => mask.grow(stepOf(mask))),
    maskCommand("shrink", "Shrink: by one pixel, in large pictures by more", ",", (mask) => mask.shrink(stepOf(mask))),
    maskCommand("invert", "Invert", "i", (mask) => mask.invert()),
    { ...maskCommand("clear", "Clear", "Delete", (mask) => mask.pixels.fill(0)), also: "Backspace" },
  ],
  [
    { icon: "zoomOut", label: "Zoom out", key: "-", run: (view) => view.zoom(1 / 1.5) },
    { icon: "fit", label: "Show the whole picture", key: "0", run: (view) => view.fit() },
    {
      icon: "zoomIn", label: "Zoom in (also by wheel or two fingers; Space and drag to move)", key: "+", also: "=",
      run: (view) => view.zoom(1.5),
    },
    {
      icon: "eye", label: "Hold to see the picture without the mask", key: "o",
      hold: (view, held) => view.peek(held), on: (view) => view.peeking,
    },
  ],
];
const ALL_COMMANDS = COMMANDS.flat();
const KEYS_WITHOUT_BUTTON = { "[": (view) => view.resize(1 / 1.25), "]": (view) => view.resize(1.25) };

function brushCommand(icon, label, key, erase) {
  return {
    icon, label, key,
    run: (view) => view.set({ tool: "brush", erase }),
    on: (view) => view.model.get("tool") === "brush" && view.model.get("erase") === erase,
  };
}

function toolCommand(tool, label, key) {
  return { icon: tool, label, key, run: (view) => view.set({ tool }), on: (view) => view.model.get("tool") === tool };
}

function maskCommand(icon, label, key, operation) {
  return { icon, label, key, run: (view) => view.drawing.change(operation) };
}

/** Pixels by which "grow" grows: one, and more in large pictures. */
function stepOf({ width, height }) {
  return Math.max(1, Math.round(Math.max(width, height) / 256));
}

const PRESETS = {
  "1 : 1": (size) => toRatio(size, 1),
  "4 : 3": (size) => toRatio(size, 4 / 3),
  "16 : 9": (size) => toRatio(size, 16 / 9),
  "+25 %": (size) => around(size, size.map((px) => Math.round(px * 1.25))),
  "back to the picture": () => NO_MARGINS,
};

/** The margins of the smallest canvas of that ratio that holds the picture. */
function toRatio([width, height], ratio) {
  return around([width, height], [Math.max(width, Math.round(height * ratio)), Math.max(height, Math.round(width / ratio))]);
}

function around([width, height], [wider, higher]) {
  const [left, top] = [Math.floor((wider - width) / 2), Math.floor((higher - height) / 2)];
  return [left, top, wider - width - left, higher - height - top];
}

/** Toolbar, sliders and the line below the picture. */
class Panel {
  constructor(view) {
    this.view = view;
    this.buttons = new Map(ALL_COMMANDS.map((command) => [command, commandButton(view, command)]));
    this.toolbar = element("div", { class: "onr-toolbar", role: "toolbar", "aria-label": "Drawing tools" });
    for (const group of COMMANDS) {
      this.toolbar.append(element("div", { class: "onr-group" }, ...group.map((command) => this.buttons.get(command))));
    }
    moveByArrows(this.toolbar);

    this.size = slider(view, "brush_size", "Brush", {
      min: 1, step: 1, curve: 2, title: "Diameter of the brush in pixels ([ and ], or Ctrl and the wheel)",
    });
    this.tolerance = slider(view, "tolerance", "Tolerance", {
      min: 0, step: 1, title: "How different a colour may be for Fill (0 to 255 levels)",
    });
    this.opacity = slider(view, "opacity", "Overlay", { min: 0, step: 0.05, title: "Opacity of the overlay" });
    this.colour = element("input", { type: "color", title: "Colour of the overlay", "aria-label": "Colour of the overlay" });
    this.colour.addEventListener("input", () => view.set({ colour: this.colour.value }));
    this.presets = element(
      "select", { "aria-label": "Extend the canvas", title: "Room around the picture for the task “extend”" },
      element("option", { value: "" }, "Extend…"),
      ...Object.keys(PRESETS).map((name) => element("option", { value: name }, name)),
    );
    this.presets.addEventListener("change", () => {
      view.drawing.extend(PRESETS[this.presets.value](view.drawing.pictureSize));
      this.presets.value = "";
    });
    this.settings = element(
      "div", { class: "onr-settings" }, this.size.row, this.tolerance.row, this.opacity.row, this.colour, this.presets,
    );

    this.facts = element("span", { class: "onr-facts" });
    this.message = element("span", { class: "onr-message", role: "status" });
    this.status = element("div", { class: "onr-status" }, this.facts, this.message);
  }

  update() {
    const { view } = this;
    const { drawing, model } = view;
    this.message.textContent = drawing.notice || model.get("message");
    if (!drawing.mask) return;
    for (const [command, button] of this.buttons) {
      if (command.on) button.setAttribute("aria-pressed", String(Boolean(command.on(view))));
      if (command.can) button.setAttribute("aria-disabled", String(!command.can(view)));
    }
    this.size.show(view.largestBrush, `${Math.round(model.get("brush_size"))} px`);
    this.tolerance.show(255, model.get("tolerance"));
    this.opacity.show(1, `${Math.round(100 * model.get("opacity"))} %`);
    this.size.row.hidden = model.get("tool") !== "brush";
    this.tolerance.row.hidden = model.get("tool") !== "fill";
    this.colour.value = model.get("colour");
    this.facts.textContent = `${view.sizeInWords()} · ${(100 * drawing.share).toFixed(1)} % masked`;
  }
}

function commandButton(view, command) {
  const label = command.label.split(/[:(;]/)[0].trim();
  const button = element("button", {
    type: "button", tabindex: -1, "aria-label": label, title: `${command.label} (${inWords(command.key)})`,
    "aria-keyshortcuts": command.key.replace("Mod", "Control"),
  });
  button.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true">${ICONS[command.icon]}</svg>`;
  if (command.hold) {
    const hold = (event) => { if ((event.key ?? " ") === " ") command.hold(view, true); };
    for (const name of ["pointerdown", "keydown"]) button.addEventListener(name, hold);
    const letGo = () => command.hold(view, false);
    for (const name of ["pointerup", "pointerleave", "keyup", "blur"]) button.addEventListener(name, letGo);
  } else {
    button.addEventListener("click", () => command.run(view));
  }
  return button;
}

/** One stop of the Tab key for all buttons; the arrow keys go from one to the next. */
function moveByArrows(toolbar) {
  const buttons = [...toolbar.querySelectorAll("button")];
  buttons[0].tabIndex = 0;
  const moveTo = (button) => {
    for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  };
  toolbar.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const goal = { Home: buttons[0], End: buttons.at(-1) }[event.key] ?? (step && buttons.at((at + step) % buttons.length));
    if (goal) {
      moveTo(goal);
      event.preventDefault();
    }
  });
  toolbar.addEventListener("focusin", (event) => {
    if (buttons.includes(event.target)) for (const other of buttons) other.tabIndex = other === event.target ? 0 : -1;
  });
}

/** A slider for one setting. `curve`: exponent by which small values get more of its length. */
function slider(view, name, label, { title, min, step, curve = 1 }) {
  let max = 0;
  const input = element("input", { type: "range", "aria-label": title.split("(")[0].trim(), min: 0, max: 1, step: "any" });
  const output = element("span", { class: "onr-value" });
  const row = element("label", { title }, element("span", {}, label), input, output);
  input.addEventListener("input", () => {
    const value = min + (max - min) * input.value ** curve;
    view.set({ [name]: Number((Math.round(value / step) * step).toFixed(2)) });
  });
  input.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!steps) return;
    const value = view.model.get(name) + steps * step;
    view.set({ [name]: Number(Math.min(max, Math.max(min, value)).toFixed(2)) });
    event.preventDefault();
  });
  const show = (largest, words) => {
    max = largest;
    input.value = ((view.model.get(name) - min) / (max - min)) ** (1 / curve);
    input.setAttribute("aria-valuetext", words);
    output.textContent = words;
  };
  return { row, show };
}

// --- handles ----------------------------------------------------------------------------------------

const SIDES = ["left", "top", "right", "bottom"]; // in the order of margins

/** A grip on one side of the picture: drag it, or press arrow keys on it, to extend the canvas. */
class Handle {
  constructor(view, side) {
    this.view = view;
    this.index = SIDES.indexOf(side);
    this.axis = this.index % 2; // 0 is across, 1 is down
    this.outward = this.index < 2 ? -1 : 1;
    this.grip = element("div", {
      class: `onr-handle onr-${side}`, role: "slider", tabindex: 0, "aria-label": `Extend on the ${side}`,
      "aria-orientation": this.axis ? "vertical" : "horizontal", "aria-valuemin": 0, "aria-valuemax": LARGEST_SIDE,
      title: `Drag to extend on the ${side}`,
    });
    view.stage.append(this.grip);
    this.grip.addEventListener("pointerdown", (event) => this.take(event));
    this.grip.addEventListener("pointermove", (event) => this.pull(event));
    this.grip.addEventListener("pointerup", () => this.letGo());
    this.grip.addEventListener("pointercancel", () => this.letGo());
    this.grip.addEventListener("keydown", (event) => this.step(event));
  }

  place() {
    const { view, axis, outward } = this;
    const [width, height] = view.drawing.size;
    const [left, top] = view.toStage([0, 0]);
    const [right, bottom] = view.toStage([width, height]);
    const at = axis ? [(left + right) / 2, outward < 0 ? top : bottom] : [outward < 0 ? left : right, (top + bottom) / 2];
    const inside = at[0] >= 0 && at[1] >= 0 && at[0] <= view.stage.clientWidth && at[1] <= view.stage.clientHeight;
    this.grip.hidden = !inside;
    this.grip.style.left = `${at[0]}px`;
    this.grip.style.top = `${at[1]}px`;
    this.grip.setAttribute("aria-valuenow", view.drawing.margins[this.index]);
  }

  take(event) {
    this.grip.setPointerCapture(event.pointerId);
    this.start = event;
    event.stopPropagation();
  }

  pull(event) {
    if (!this.start) return;
    const moved = this.axis ? event.clientY - this.start.clientY : event.clientX - this.start.clientX;
    this.pulled = this.extended((moved * this.outward) / this.view.scale);
    this.view.showGhost(this.pulled);
  }

  letGo() {
    if (this.pulled) this.view.drawing.extend(this.pulled);
    this.start = this.pulled = null;
    this.view.showGhost(null);
  }

  step(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, -1], ArrowDown: [1, 1] }[event.key];
    if (!step || step[0] !== this.axis) return;
    this.view.drawing.extend(this.extended(step[1] * this.outward * (event.shiftKey ? 1 : 8)));
    event.preventDefault();
  }

  extended(by) {
    return this.view.drawing.margins.map((px, index) => (index === this.index ? Math.max(0, Math.round(px + by)) : px));
  }
}

// --- keys -------------------------------------------------------------------------------------------

/** Keys belong to the editor while it has the focus, and never get through to the notebook. */
function listenToKeys(view) {
  const { root } = view;
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.defaultPrevented || event.altKey && !event.getModifierState("AltGraph")) return;
    if (event.target.matches("input, select") && /^(Arrow|Home|End|Page| |Enter)/.test(event.key)) return;
    if (event.target.matches("button") && /^[ ]$|^Enter$/.test(event.key)) return;
    if (pressed(view, event)) event.preventDefault();
  });
  root.addEventListener("keyup", (event) => {
    event.stopPropagation();
    if (event.key === " ") view.holdSpace(false);
    for (const command of ALL_COMMANDS) if (command.hold && chord(event) === command.key) command.hold(view, false);
  });
  root.addEventListener("keypress", (event) => event.stopPropagation());
  root.addEventListener("focusout", (event) => {
    if (root.contains(event.relatedTarget)) return;
    view.holdSpace(false);
    view.peek(false);
  });
}

/** Do what a key stands for; whether it stands for anything. */
function pressed(view, event) {
  const key = chord(event);
  const command = ALL_COMMANDS.find((each) => each.key === key || each.also === key);
  if (command?.hold) command.hold(view, true);
  else if (command) command.run(view);
  else if (KEYS_WITHOUT_BUTTON[key]) KEYS_WITHOUT_BUTTON[key](view);
  else if (key === " ") view.holdSpace(true);
  else if (key === "Escape") view.leave();
  else if (key === "Enter") view.pressByKeyboard(event);
  else if (/^(Shift\+)?Arrow/.test(key)) view.moveByKeyboard(event);
  else return false;
  return true;
}

/** A key with its modifiers in one word: "b", "Mod+Shift+z", "[". Mod is Ctrl, or Cmd on a Mac. */
function chord(event) {
  const latin = /^Key[A-Z]$/.test(event.code) && !/^[a-z]$/i.test(event.key) ? event.code[3] : event.key;
  const key = latin.length === 1 ? latin.toLowerCase() : latin;
  const mod = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
  const shift = event.shiftKey && (/^[a-z]$/.test(key) || key.length > 1);
  return (mod ? "Mod+" : "") + (shift ? "Shift+" : "") + key;
}

function inWords(key) {
  const mod = /Mac|iPad|iPhone/.test(navigator.platform) ? "Cmd" : "Ctrl";
  return key.replace("Mod", mod).split("+").map((part) => (part.length === 1 ? part.toUpperCase() : part)).join("+") || "+";
}

// --- the page ---------------------------------------------------------------------------------------

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const outline = (path) => `<path d="${path}"/>`;
const ICONS = {
  brush: outline("M9 11 7.6 9.6l8-7a1.3 1.3 0 0 1 1.8 1.8l-7 8zM7.4 10.8c-1.8 0-3 1.2-3.1 3-.1 1.3-.8 2.2-2.1 2.6 1.2 1 5.4 1.6 7.1-.6.9-1.2.8-2.5.2-3.5"),
  eraser: outline("M8 16.5 3.2 11.7a1.2 1.2 0 0 1 0-1.7l6.3-6.3a1.2 1.2 0 0 1 1.7 0l5.1 5.1a1.2 1.2 0 0 1 0 1.7l-6 6zM6.2 7 13 13.8M8 16.5h9"),
  rectangle: outline("M3 4.5h14v11H3z"),
  lasso: outline("M10 3C6 3 2.8 5.1 2.8 7.8S6 12.5 10 12.5s7.2-2 7.2-4.7S14 3 10 3zM4.8 11.3c-1.1.8-1.2 2.1-.2 2.6 1 .5 2.1-.2 1.9-1.2M5.6 14c.6 1.1.4 2.2-.6 3.2"),
  polygon: outline("M3.5 8.5 10.5 3 17 8l-3 8.5H6z"),
  fill: outline("M8.5 3.5 15 10l-5.6 5.6a1.3 1.3 0 0 1-1.9 0L2.9 11a1.3 1.3 0 0 1 0-1.9zM2.6 10H15M6.5 1.5l2 2M17 12.8c.9 1.2 1.3 1.9 1.3 2.6a1.3 1.3 0 0 1-2.6 0c0-.7.4-1.4 1.3-2.6z"),
  swap: outline("M4 7h12l-3.2-3.2M16 13H4l3.2 3.2"),
  undo: outline("M7.5 3.5 3.5 7.5l4 4M3.5 7.5h8.2a4.4 4.4 0 0 1 0 8.8H7.5"),
  redo: outline("m12.5 3.5 4 4-4 4M16.5 7.5H8.3a4.4 4.4 0 0 0 0 8.8h4.2"),
  invert: `<circle cx="10" cy="10" r="6.8"/><path d="M10 3.2a6.8 6.8 0 0 1 0 13.6z" fill="currentColor"/>`,
  grow: outline("M7.5 7.5h5v5h-5zM3 6.5V3h3.5M13.5 3H17v3.5M17 13.5V17h-3.5M6.5 17H3v-3.5"),
  shrink: outline("M8.5 8.5h3v3h-3zM6 2.5V6H2.5M14 2.5V6h3.5M17.5 14H14v3.5M2.5 14H6v3.5"),
  clear: outline("M3.5 5.5h13M7.5 5.5v-2h5v2M5.3 5.5 6 16.5h8l.7-11M8.5 8.5v5M11.5 8.5v5"),
  zoomIn: outline("M13.2 13.2 17 17M6 8.7h5.4M8.7 6v5.4") + `<circle cx="8.7" cy="8.7" r="5.5"/>`,
  zoomOut: outline("M13.2 13.2 17 17M6 8.7h5.4") + `<circle cx="8.7" cy="8.7" r="5.5"/>`,
  fit: outline("M2.5 4.5h15v11h-15zM6 7.5v5M14 7.5v5M10 8.5v.2M10 11.5v.2"),
  eye: outline("M1.8 10S4.8 4.8 10 4.8s8.2 5.2 8.2 5.2-3 5.2-8.2 5.2S1.8 10 1.8 10z") + `<circle cx="10" cy="10" r="2.4"/>`,
};

/** One drawing for each widget, however often it is shown. */
export default () => {
  let drawing;
  return {
    initialize({ model }) {
      drawing = new Drawing(model);
    },
    render({ model, el }) {
      const view = new View(drawing, model, el);
      return () => view.remove();
    },
  };
};

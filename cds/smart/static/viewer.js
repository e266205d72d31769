// A radiograph on the browser's own canvas: window, zoom, pan, invert, a heat map over it, and another film beside.
//
// The film comes as a PGM of 16 bits, all that the detector measured, and `Sightline-Window` says what of it is
// black and what white to begin with. First it comes with as many pixels as a screen shows (`reduced`), and with all
// of them (`src`) as soon as it is looked at more closely. Everything else happens here.

const WHITE = 65535;
const NARROWEST = 64;
const PAN_STEP = 40;
const ZOOM_STEP = 1.25;
const LARGEST_SCALE = 16;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

class Film {
  // The values, row by row, of a PGM (P5, 65535); `size`: columns and rows of the film that it stands for.
  constructor(bytes, size, given) {
    const head = /^P5 (\d+) (\d+) 65535\n/.exec(new TextDecoder("ascii").decode(bytes.slice(0, 40)));
    if (!head) throw new Error("not a film");
    const [wide, high] = [Number(head[1]), Number(head[2])];
    [this.columns, this.rows] = size;
    this.detail = wide / this.columns;
    this.given = given;
    const words = new DataView(bytes, head[0].length);
    this.values = new Uint16Array(wide * high);
    for (let i = 0; i < this.values.length; i++) this.values[i] = words.getUint16(2 * i);
    this.canvas = new OffscreenCanvas(wide, high);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.image = this.context.createImageData(wide, high);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.shades = new Uint32Array(WHITE + 1);
  }

  // Make every pixel the grey that the window gives it.
  develop(low, high, inverted) {
    for (let value = 0; value <= WHITE; value++) {
      const part = clamp((value - low) / (high - low), 0, 1);
      const grey = Math.round(255 * (inverted ? 1 - part : part));
      this.shades[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    for (let i = 0; i < this.values.length; i++) this.pixels[i] = this.shades[this.values[i]];
    this.context.putImageData(this.image, 0, 0);
  }
}

// What is at the address, or the reason that the answer gives in words.
async function arrived(address) {
  const answer = await fetch(address);
  const inWords = answer.headers.get("Content-Type")?.startsWith("text/plain");
  if (!answer.ok) throw new Error(inWords ? await answer.text() : "The image did not arrive");
  return answer;
}

async function fetched(address) {
  const answer = await arrived(address);
  const numbers = (name) => answer.headers.get(name).split(" ").map(Number);
  const [low, high] = numbers("Sightline-Window");
  return new Film(await answer.arrayBuffer(), numbers("Sightline-Size"), { low, high });
}

class FilmViewer extends HTMLElement {
  connectedCallback() {
    if (this.screen) return; // moved within the page, not made anew
    this.screen = this.querySelector("canvas");
    this.status = this.querySelector(".status");
    this.reading = this.querySelector("output");
    this.pointers = new Map();
    this.listen();
    this.load();
  }

  async load() {
    this.say("Loading the image…");
    try {
      this.film = await fetched(this.getAttribute("reduced"));
    } catch (problem) {
      this.say(`${problem.message || "The image did not arrive"}. `, "Try again", () => this.load());
      return;
    }
    this.say("");
    this.dataset.shown = "";
    this.reset();
    new ResizeObserver(() => this.resized()).observe(this.screen);
  }

  // Every pixel, once there is room for more of them than there are.
  async sharpen() {
    if (this.sharp || this.film.detail === 1 || this.scale <= this.film.detail) return;
    this.sharp = true;
    try {
      const film = await fetched(this.getAttribute("src"));
      this.window = moved(this.window, this.film.given, film.given);
      this.film = film;
      this.dataset.whole = "";
      this.developed = false;
      this.draw();
    } catch (problem) {
      this.say(`${problem.message}: this is not the full resolution. `, "Try again", () => {
        this.sharp = false;
        this.say("");
        this.sharpen();
      });
    }
  }

  say(text, action, act) {
    this.status.textContent = text;
    this.status.hidden = !text;
    if (!action) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action;
    button.addEventListener("click", act);
    this.status.append(button);
  }

  // What is shown: window, inversion, scale and the place of the film's corner, in device pixels.

  reset() {
    this.inverted = false;
    this.window = { ...this.film.given };
    this.developed = false;
    this.fit();
  }

  fit() {
    this.measure();
    this.scale = this.wholeScale;
    this.x = (this.screen.width - this.film.columns * this.scale) / 2;
    this.y = (this.screen.height - this.film.rows * this.scale) / 2;
    this.fitted = true;
    this.viewed();
  }

  // Drawn, and told to whoever shows another film beside.
  viewed() {
    this.draw();
    this.dispatchEvent(new CustomEvent("view", { bubbles: true }));
  }

  get wholeScale() {
    return Math.min(this.screen.width / this.film.columns, this.screen.height / this.film.rows);
  }

  // How closely, and at which part of the film, it is looked at.
  get view() {
    const part = (middle, corner, length) => (middle - corner) / (length * this.scale);
    return {
      zoom: this.scale / this.wholeScale,
      x: part(this.screen.width / 2, this.x, this.film.columns),
      y: part(this.screen.height / 2, this.y, this.film.rows),
      fitted: this.fitted,
    };
  }

  follow(view) {
    this.scale = view.zoom * this.wholeScale;
    this.x = this.screen.width / 2 - view.x * this.film.columns * this.scale;
    this.y = this.screen.height / 2 - view.y * this.film.rows * this.scale;
    this.fitted = view.fitted;
    this.draw();
  }

  measure() {
    const ratio = window.devicePixelRatio || 1;
    this.screen.width = Math.round(this.screen.clientWidth * ratio);
    this.screen.height = Math.round(this.screen.clientHeight * ratio);
  }

  resized() {
    if (this.fitted) return this.fit();
    this.measure();
    return this.draw();
  }

  zoom(factor, x = this.screen.width / 2, y = this.screen.height / 2) {
    const scale = clamp(this.scale * factor, Math.min(this.wholeScale, 1) / 2, LARGEST_SCALE);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.viewed();
  }

  actual(x, y) {
    this.zoom(1 / this.scale, x, y);
  }

  pan(dx, dy) {
    const [wide, high] = [this.film.columns * this.scale, this.film.rows * this.scale];
    this.x = clamp(this.x + dx, Math.min(0, this.screen.width / 2 - wide), this.screen.width / 2);
    this.y = clamp(this.y + dy, Math.min(0, this.screen.height / 2 - high), this.screen.height / 2);
    this.fitted = false;
    this.viewed();
  }

  get level() {
    return (this.window.low + this.window.high) / 2;
  }

  get width() {
    return this.window.high - this.window.low;
  }

  setWindow(level, width) {
    const wide = clamp(width, NARROWEST, 2 * WHITE);
    const middle = clamp(level, 0, WHITE);
    this.window = { low: middle - wide / 2, high: middle + wide / 2 };
    this.developed = false;
    this.draw();
  }

  invert() {
    this.inverted = !this.inverted;
    this.developed = false;
    this.draw();
  }

  draw() {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.paint();
    });
  }

  paint() {
    if (!this.developed) {
      this.film.develop(this.window.low, this.window.high, this.inverted);
      this.developed = true;
    }
    const context = this.screen.getContext("2d", { alpha: false });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.screen.width, this.screen.height);
    context.setTransform(this.scale, 0, 0, this.scale, this.x, this.y);
    context.imageSmoothingEnabled = this.scale / this.film.detail < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.film.canvas, 0, 0, this.film.columns, this.film.rows);
    if (this.heat && this.strength > 0) {
      context.globalAlpha = this.strength;
      context.imageSmoothingEnabled = true;
      context.drawImage(this.heat, 0, 0, this.film.columns, this.film.rows);
      context.globalAlpha = 1;
    }
    this.tell();
    this.sharpen();
  }

  tell() {
    const percent = (part) => `${Math.round(100 * part)} %`;
    const zoom = percent(this.scale / (window.devicePixelRatio || 1));
    this.reading.textContent = `window ${percent(this.width / WHITE)}  level ${percent(this.level / WHITE)}  zoom ${zoom}`;
    this.control("invert").setAttribute("aria-pressed", String(this.inverted));
    this.input("brightness").value = WHITE - this.level;
    this.input("contrast").value = -Math.log2(this.width);
  }

  control(name) {
    return this.querySelector(`[data-do="${name}"]`);
  }

  input(name) {
    return this.querySelector(`input[name="${name}"]`);
  }

  // The heat map is asked for when it is first wanted.

  async showHeat(strength) {
    this.strength = strength;
    const wanted = this.querySelector("select[name=finding]")?.value;
    if (strength > 0 && wanted && this.heatOf !== wanted) {
      this.heatOf = wanted;
      this.heat = null;
      try {
        const heat = await createImageBitmap(await (await arrived(wanted)).blob());
        if (this.heatOf === wanted) this.heat = heat;
      } catch (problem) {
        this.heatOf = "";
        this.say(`No heat map: ${problem.message}.`);
        setTimeout(() => this.say(""), 4000);
      }
    }
    this.draw();
  }

  // Mouse, touch, pen, keys and controls.

  listen() {
    const on = (target, kind, handler, options) =>
      target.addEventListener(kind, (event) => this.film && handler.call(this, event), options);
    on(this.screen, "pointerdown", this.pressed);
    on(this.screen, "pointermove", this.moved);
    on(this.screen, "pointerup", this.released);
    on(this.screen, "pointercancel", this.released);
    on(this.screen, "wheel", this.wheeled, { passive: false });
    on(this.screen, "dblclick", (event) => (this.fitted ? this.actual(...this.place(event)) : this.fit()));
    on(this.screen, "contextmenu", (event) => event.preventDefault());
    on(this.screen, "keydown", this.keyed);
    on(this, "click", (event) => this.do(event.target.closest("[data-do]")?.dataset.do));
    on(this, "input", (event) => this.slid(event.target));
  }

  place(event) {
    const ratio = window.devicePixelRatio || 1;
    return [event.offsetX * ratio, event.offsetY * ratio];
  }

  pressed(event) {
    this.screen.focus({ preventScroll: true });
    this.screen.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    const panning = this.querySelector("input[type=radio][value=pan]").checked;
    this.panning = panning !== (event.shiftKey || event.button > 0);
    event.preventDefault();
  }

  moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.place(event);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (this.pointers.size === 2) this.pinched(event.pointerId, before, now);
    else if (this.panning) this.pan(dx, dy);
    else this.dragged(dx, dy);
    this.pointers.set(event.pointerId, now);
  }

  // As in every reading room: to the right less contrast, downwards brighter.
  dragged(dx, dy) {
    const step = this.width / 300;
    this.setWindow(this.level - dy * step, this.width + dx * step * 2);
  }

  pinched(id, before, now) {
    const other = [...this.pointers].find(([key]) => key !== id)[1];
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    this.zoom(apart(now) / Math.max(apart(before), 1), ...middle);
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  released(event) {
    this.pointers.delete(event.pointerId);
  }

  wheeled(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), ...this.place(event));
  }

  keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const name = { "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "fit", 1: "actual", i: "invert", r: "reset" };
    const keys = {
      ArrowLeft: () => this.pan(PAN_STEP, 0),
      ArrowRight: () => this.pan(-PAN_STEP, 0),
      ArrowUp: () => this.pan(0, PAN_STEP),
      ArrowDown: () => this.pan(0, -PAN_STEP),
      "[": () => this.setWindow(this.level, this.width / 1.1),
      "]": () => this.setWindow(this.level, this.width * 1.1),
      ",": () => this.setWindow(this.level + this.width / 20, this.width),
      ".": () => this.setWindow(this.level - this.width / 20, this.width),
    };
    const act = keys[event.key] || (name[event.key] && (() => this.do(name[event.key])));
    if (!act) return;
    event.preventDefault();
    act();
  }

  do(name) {
    const actions = {
      fit: () => this.fit(),
      actual: () => this.actual(),
      "zoom-in": () => this.zoom(ZOOM_STEP),
      "zoom-out": () => this.zoom(1 / ZOOM_STEP),
      invert: () => this.invert(),
      reset: () => this.reset(),
    };
    actions[name]?.();
  }

  slid(control) {
    if (control.name === "brightness") this.setWindow(WHITE - control.value, this.width);
    if (control.name === "contrast") this.setWindow(this.level, 2 ** -control.value);
    if (control.name === "heat" || control.name === "finding") this.showHeat(this.input("heat").value / 100);
  }
}

// A window on another scale of values, which the film's own window tells.
function moved(window, from, to) {
  const one = (value) => to.low + ((value - from.low) * (to.high - to.low)) / (from.high - from.low);
  return { low: one(window.low), high: one(window.high) };
}

// Another film beside: chosen from the list, closed again, and looked at together with the first.

function beside(link) {
  const image = document.querySelector(".image");
  const pane = image.querySelector("template").content.cloneNode(true);
  const viewer = pane.querySelector("film-viewer");
  for (const name of ["src", "reduced"]) viewer.setAttribute(name, link.dataset[name]);
  viewer.querySelector("canvas").setAttribute("aria-label", `The radiograph beside it: ${link.textContent.trim()}`);
  pane.querySelector("h3").textContent = link.textContent;
  alone();
  image.querySelector(".panes").append(pane);
  image.classList.add("comparing");
  image.querySelector(".beside").scrollIntoView({ block: "nearest" });
}

function alone() {
  document.querySelector(".image .beside")?.remove();
  document.querySelector(".image").classList.remove("comparing");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-reduced]");
  if (event.target.closest("[data-close]")) alone();
  if (!link) return;
  event.preventDefault();
  beside(link);
});

document.addEventListener("view", ({ target }) => {
  if (!document.querySelector("[name=together]:checked")) return;
  for (const other of target.closest(".panes").querySelectorAll("film-viewer")) {
    if (other !== target && other.film) other.follow(target.view);
  }
});

customElements.define("film-viewer", FilmViewer);

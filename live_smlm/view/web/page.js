// The page asks for the run's numbers twice a second and for the picture five times at most,
// the next only when the last has come: a slow page asks seldom. What it shows meanwhile is the
// picture before, moved and stretched to where it belongs.

const $ = (id) => document.getElementById(id);
const STATE_MS = 500, PICTURE_MS = 200, RETRY_MS = 1000, FINEST_NM = 0.25, WIDEST = 4, FRAME = 0.97;
const viewer = Array.from(crypto.getRandomValues(new Uint8Array(8)),
  (n) => n.toString(16).padStart(2, "0")).join("");
const token = location.hash.slice(1);
const stage = $("stage"), canvas = $("picture");
const look = { mode: KNOWN.usual.mode, by: KNOWN.usual.by, maps: [...KNOWN.usual.maps] };
let field = null;       // height and width of what the camera sees, nm
let sight = null;       // y, x of the stage's corner and the length of one of its points, nm
let fitted = true;
let shown = null;       // the newest picture and where it lies
let seen = { picture: "", state: "" };
let gone = false;

// ---- where one looks -------------------------------------------------------------------------

const size = () => ({ rows: Math.max(stage.clientHeight, 16), columns: Math.max(stage.clientWidth, 16) });
const kind = () => (KNOWN.by[look.by] === null ? 0 : 1);

function fit() {
  if (!field) return;
  const { rows, columns } = size();
  const nm = Math.max(field[0] / (FRAME * rows), field[1] / (FRAME * columns));
  sight = { nm, y: (field[0] - rows * nm) / 2, x: (field[1] - columns * nm) / 2 };
  fitted = true;
  moved();
}

function pan(right, down) {
  if (!sight) return;
  sight.x -= right * sight.nm;
  sight.y -= down * sight.nm;
  kept();
}

function zoom(factor, right, down) {
  if (!sight) return;
  const { rows, columns } = size();
  const widest = WIDEST * Math.max(field[0] / rows, field[1] / columns);
  const nm = Math.min(Math.max(sight.nm / factor, FINEST_NM), widest);
  sight.y += down * (sight.nm - nm);
  sight.x += right * (sight.nm - nm);
  sight.nm = nm;
  kept();
}

function kept() {  // the middle stays on the field
  const { rows, columns } = size();
  const half = [rows * sight.nm / 2, columns * sight.nm / 2];
  sight.y = Math.min(Math.max(sight.y, -half[0]), field[0] - half[0]);
  sight.x = Math.min(Math.max(sight.x, -half[1]), field[1] - half[1]);
  fitted = false;
  moved();
}

function moved() {
  draw();
  askSoon();
}

// ---- what is seen ----------------------------------------------------------------------------

function draw() {
  const ratio = window.devicePixelRatio || 1, { rows, columns } = size();
  const wide = Math.round(columns * ratio), high = Math.round(rows * ratio);
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, wide, high);
  if (!sight) return;
  const per = ratio / sight.nm;
  if (shown) {
    const at = shown.about, same = Math.abs(at.nm * per - 1) < 1e-6;
    pen.imageSmoothingEnabled = !same;
    pen.drawImage(shown.bitmap, (at.x - sight.x) * per, (at.y - sight.y) * per,
      at.columns * at.nm * per, at.rows * at.nm * per);
  }
  pen.strokeStyle = "#2a2e34";
  pen.strokeRect(-sight.x * per, -sight.y * per, field[1] * per, field[0] * per);
  drawBar();
}

function drawBar() {
  const most = 0.22 * size().columns * sight.nm, decade = 10 ** Math.floor(Math.log10(most));
  const nm = Math.max(...[0.5, 1, 2, 5].map((n) => n * decade).filter((n) => n <= most));
  $("bar").querySelector("i").style.width = `${nm / sight.nm}px`;
  $("length").textContent = nm >= 1e6 ? `${nm / 1e6} mm` : nm >= 1000 ? `${nm / 1000} µm` : `${nm} nm`;
}

function drawColours(about) {
  const stops = KNOWN.maps[look.maps[about.by === null ? 0 : 1]][about.by === null ? 0 : 1];
  const pen = $("shades").getContext("2d"), shades = pen.createLinearGradient(0, 0, 160, 0);
  stops.forEach((colour, i) => shades.addColorStop(i / (stops.length - 1), colour));
  pen.fillStyle = shades;
  pen.fillRect(0, 0, 160, 8);
  $("low").textContent = brief(about.limits[0]);
  $("high").textContent = brief(about.limits[1]);
  $("title").textContent = KNOWN.titles[about.by === null ? "None" : about.by];
}

// ---- asking ----------------------------------------------------------------------------------

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let hurry = () => {};
const askSoon = () => hurry();

async function ask(path, tag) {
  const answer = await fetch(path, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
  gone = false;
  if (!answer.ok && answer.status !== 304) throw new Error((await answer.text()).trim());
  return answer;
}

async function askPicture() {
  const ratio = window.devicePixelRatio || 1, { rows, columns } = size();
  const question = new URLSearchParams({ viewer, rows: Math.round(rows * ratio),
    columns: Math.round(columns * ratio), y: sight.y, x: sight.x, nm: Math.max(sight.nm / ratio, FINEST_NM),
    mode: look.mode, by: look.by, map: look.maps[kind()] });
  const answer = await ask(`/picture?${question}`, seen.picture);
  if (answer.status !== 200) return;
  const about = JSON.parse(answer.headers.get("X-Picture"));
  const bitmap = await createImageBitmap(await answer.blob());
  seen.picture = answer.headers.get("ETag");
  if (shown) shown.bitmap.close();
  shown = { bitmap, about };
  stage.dataset.pictures = 1 + Number(stage.dataset.pictures || 0);
  drawColours(about);
  draw();
}

async function watchPicture() {
  for (;;) {
    const begun = performance.now();
    let rest = PICTURE_MS;
    if (sight && !document.hidden) {
      try {
        await askPicture();
        note("picture", "");
      } catch (error) {
        note("picture", gone ? "" : error instanceof TypeError ? "" : error.message);
        rest = RETRY_MS;
      }
    }
    const pause = Math.max(rest - (performance.now() - begun), 30);
    await Promise.race([wait(pause + (document.hidden ? RETRY_MS : 0)),
      new Promise((now) => { hurry = () => setTimeout(now, 30); })]);
  }
}

async function watchState() {
  for (;;) {
    try {
      const answer = await ask("/state", seen.state);
      if (answer.status === 200) {
        tell(await answer.json());
        seen.state = answer.headers.get("ETag");
      }
      note("state", "");
    } catch (error) {
      gone = true;
      note("state", "The page's server has gone; what is shown was its last word (live-smlm web FOLDER shows it again).");
    }
    await wait(STATE_MS);
  }
}

// ---- telling ---------------------------------------------------------------------------------

const notes = { state: "", picture: "" };
function note(which, words) {
  notes[which] = words;
  $("note").textContent = notes.state || notes.picture;
}

function brief(n) {
  if (n === null || n === undefined) return "-";
  return n !== 0 && (Math.abs(n) >= 1e6 || Math.abs(n) < 1e-2) ? n.toExponential(2) : String(Number(n.toPrecision(4)));
}
const count = (n) => (n === null || n === undefined ? "-" : n < 1e7 ? n.toLocaleString("en") : `${(n / 1e6).toFixed(2)} M`);
const time = (s) => new Date(1000 * s).toLocaleTimeString("en-GB");
const GRADES = { good: "good", neutral: "", caution: "caution", alarm: "alarm-word" };
const PHASES = { running: "good", stopping: "caution", silent: "alarm-word" };

function made(kindOf, words, name) {
  const one = document.createElement(kindOf);
  one.textContent = words;
  if (name) one.className = name;
  return one;
}

function tell(told) {
  $("phase").textContent = `● ${told.phase}`;
  $("phase").className = `title ${PHASES[told.phase] || "faint"}`;
  $("run").textContent = told.run;
  $("about").textContent = told.about.join("  ·  ");
  $("about").title = $("about").textContent;
  document.title = `${told.alarms.length ? "⚠ " : ""}${told.run} · live-smlm`;
  const s = Math.floor(told.elapsed_s ?? 0);
  $("clock").textContent = told.elapsed_s === null ? "" :
    `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  for (const id of ["stop", "abort"]) $(id).hidden = !(told.control && token);
  $("stop").disabled = !["running", "joining"].includes(told.phase);
  $("abort").disabled = !["running", "joining", "stopping"].includes(told.phase);
  if (told.field_nm && String(told.field_nm) !== String(field)) {
    field = told.field_nm;
    fit();
  }
  tellNumbers(told);
  tellAlarms(told.alarms);
  tellCharts(told.charts);
  tellEvents(told.events);
}

function tellNumbers(told) {
  const bad = { deferred: "caution", shed: "caution", lost: "alarm-word" };
  const parts = Object.entries(told.counts).map(([name, n]) => [name, count(n), n ? bad[name] : ""]);
  parts.push(["molecules", count(told.molecules), ""]);
  parts.push(["frames/s", told.frames_s === null ? "-" : told.frames_s.toFixed(0), ""]);
  parts.push(["lag p99, ms", told.lag_ms === null ? "-" : told.lag_ms.toFixed(0), ""]);
  if (told.camera_fill !== null)
    parts.push(["camera buffer", `${(100 * told.camera_fill).toFixed(0)} %`, told.camera_fill > 0.7 ? "alarm-word" : ""]);
  const boxes = parts.map(([name, said, grade]) => {
    const box = made("div", "", "");
    box.append(made("span", said, `number ${grade || ""}`), made("span", name, "caption"));
    box.dataset.name = name;
    return box;
  });
  const trust = made("div", "", "trust");
  trust.append(made("span", told.trust.words, GRADES[told.trust.grade]), made("span", "trust", "caption"));
  $("numbers").replaceChildren(...boxes, trust);
}

function tellAlarms(alarms) {
  $("alarms").replaceChildren(...alarms.map((alarm) =>
    made("div", `ALARM since ${time(alarm.since_s)}: ${alarm.words}`, "alarm")));
}

function tellEvents(events) {
  $("events").replaceChildren(...[...events].reverse().map((event) => {
    const line = made("li", "", GRADES[event.grade]);
    line.append(made("time", time(event.at_s)), `${event.what}: ${event.detail}`);
    return line;
  }));
}

function tellCharts(charts) {
  $("charts").replaceChildren(...charts.map(({ title, unit, frames, values }) => {
    const known = values.filter((v) => v !== null), top = 1.08 * Math.max(...known) || 1;
    const box = made("div", "", "chart"), head = made("div", "", "");
    head.append(made("span", title, "caption"), made("b", `${brief(known.at(-1))} ${unit}`, ""));
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 100 40");
    svg.setAttribute("preserveAspectRatio", "none");
    const first = frames[0], span = frames.at(-1) - first || 1;
    for (const points of pieces(frames, values, first, span, top)) {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
      line.setAttribute("points", points.join(" "));
      svg.append(line);
    }
    box.append(head, svg);
    return box;
  }));
}

function pieces(frames, values, first, span, top) {  // unknown values are gaps
  const all = [[]];
  values.forEach((value, i) => {
    if (value === null) all.push([]);
    else all.at(-1).push(`${(100 * (frames[i] - first) / span).toFixed(2)},${(40 - 39 * value / top).toFixed(2)}`);
  });
  return all.filter((points) => points.length);
}

// ---- hands -----------------------------------------------------------------------------------

const fingers = new Map();
const at = (event) => {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
};

stage.addEventListener("pointerdown", (event) => {
  if (event.target.closest("#choices")) return;
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, at(event));
  stage.classList.add("held");
});
stage.addEventListener("pointermove", (event) => {
  const now = at(event), before = fingers.get(event.pointerId);
  if (sight) $("where").textContent =
    `x ${((sight.x + now.x * sight.nm) / 1000).toFixed(3)}  y ${((sight.y + now.y * sight.nm) / 1000).toFixed(3)} µm`;
  if (!before) return;
  if (fingers.size === 1) pan(now.x - before.x, now.y - before.y);
  else if (fingers.size === 2) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
    const apart = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    zoom(apart(now) / apart(before), other.x, other.y);
  }
  fingers.set(event.pointerId, now);
});
for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => {
  fingers.delete(event.pointerId);
  if (!fingers.size) stage.classList.remove("held");
});
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const steps = event.deltaY * (event.deltaMode ? 20 : 1), { x, y } = at(event);
  zoom(Math.exp(-Math.max(-400, Math.min(400, steps)) / 500), x, y);
}, { passive: false });
stage.addEventListener("dblclick", (event) => { if (!event.target.closest("#choices")) fit(); });

function next(id) {
  const select = $(id);
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  chosen();
}
const middle = (factor) => zoom(factor, size().columns / 2, size().rows / 2);
const KEYS = {
  ArrowLeft: () => pan(80, 0), ArrowRight: () => pan(-80, 0), ArrowUp: () => pan(0, 80),
  ArrowDown: () => pan(0, -80), "+": () => middle(1.5), "=": () => middle(1.5),
  "-": () => middle(1 / 1.5), f: fit, Home: fit, m: () => next("mode"), c: () => next("by"),
  l: () => next("map"),
};
document.addEventListener("keydown", (event) => {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  event.preventDefault();
  act();
});

function fill(id, words, word) {
  $(id).replaceChildren(...words.map((one) => new Option(one, one, false, one === word)));
  $(id).addEventListener("change", chosen);
}
function chosen() {
  const before = kind();
  look.mode = $("mode").value;
  look.by = $("by").value;
  if (kind() === before) look.maps[kind()] = $("map").value;
  $("map").value = look.maps[kind()];
  askSoon();
}
fill("mode", KNOWN.modes, look.mode);
fill("by", Object.keys(KNOWN.by), look.by);
fill("map", Object.keys(KNOWN.maps), look.maps[0]);
$("fit").addEventListener("click", fit);
new ResizeObserver(() => (fitted ? fit() : sight && moved())).observe(stage);

// ---- commands, with the token only -----------------------------------------------------------

async function command(path) {
  const answer = await fetch(path, { method: "POST", headers: { "X-Token": token } });
  if (!answer.ok) alert((await answer.text()).trim());
}
$("stop").addEventListener("click", () => command("/stop"));
$("abort").addEventListener("click", () => {
  if (confirm("Abort the run? Frames that wait are given up.")) command("/abort");
});

watchState();
watchPicture();

// The page asks for the run's numbers twice a second and for the picture five times at most,
// the next only when the last has come: a slow page asks seldom. What it shows meanwhile is the
// picture before, moved and stretched to where it belongs.

const $ = (id) => document.getElementById(id);
const STATE_MS = 500, PICTURE_MS = 200, RETRY_MS = 1000, FINEST_NM = 0.25, WIDEST = 4, FRAME = 0.97;
const viewer = Array.from(crypto.getRandomValues(new Uint8Array(8)),
  (n) => n.toString(16).padStart(2, "0")).join("");
const token = location.hash.slice(1);
const stage = $("stage"), canvas = $("picture");
const look = { mode: KNOWN.usual.mode, by: KNOWN.usual.by, maps: [...KNOWN.usual.maps],
  contrast: null };  // low and high, molecules / µm²; null follows what is seen
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
    mode: look.mode, by: look.by, map: look.maps[kind()],
    contrast: look.contrast ? look.contrast.join(" to ") : "" });
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
      gone = error instanceof TypeError;
      if (gone) tellGone();
      note("state", gone ? "The page's server has gone; what is shown was its last word "
        + "(live-smlm web FOLDER shows it again)." : error.message);
    }
    await wait(STATE_MS);
  }
}

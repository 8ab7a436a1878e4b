// What mouse, fingers and keys do, what is chosen and commanded; and the beginning.

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
  l: () => next("map"), "]": () => dim(1 / 1.25), "[": () => dim(1.25),
  a: () => setContrast(look.contrast ? null : shown && shown.about.contrast),
};
document.addEventListener("keydown", (event) => {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input")) return;
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
function setContrast(limits) {
  look.contrast = limits;
  $("contrast").value = limits ? limits.map((end) => Number(end.toPrecision(4))).join(" to ") : "";
  $("contrast").classList.remove("wrong");
  askSoon();
}
function dim(factor) {
  if (!shown) return;
  const [low, high] = shown.about.contrast;
  setContrast([low, Math.max(high * factor, low + 1e-6)]);
}
$("contrast").addEventListener("change", () => {
  const said = $("contrast").value.trim(), ends = said.split("to").map((end) => Number(end));
  const good = said === "" || (ends.length === 2 && /\d.*to.*\d/.test(said) && 0 <= ends[0] && ends[0] < ends[1]
    && ends[1] < Infinity);
  if (good) setContrast(said ? ends : null);
  else $("contrast").classList.add("wrong");
});
fill("mode", KNOWN.modes, look.mode);
fill("by", Object.keys(KNOWN.by), look.by);
fill("map", Object.keys(KNOWN.maps), look.maps[0]);
$("fit").addEventListener("click", fit);
new ResizeObserver(() => (fitted ? fit() : sight && moved())).observe(stage);

// ---- commands, with the token only -----------------------------------------------------------

async function command(path, words) {
  const answer = await fetch(path, { method: "POST", headers: { "X-Token": token }, body: words || "" });
  if (!answer.ok) alert((await answer.text()).trim());
}
$("stop").addEventListener("click", () => command("/stop"));
$("abort").addEventListener("click", () => {
  if (confirm("Abort the run? Frames that wait are given up.")) command("/abort");
});
for (const button of document.querySelectorAll("#orders button"))
  button.addEventListener("click", () => command("/order", button.dataset.order));

watchState();
watchPicture();

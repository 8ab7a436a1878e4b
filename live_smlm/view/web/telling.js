// What is told of the run, in words, numbers and lines.

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
  tellEnough(told);
  tellCharts(told.charts);
  tellEvents(told.events);
}

function tellGone() {  // a run that may go on, or not, must not look as if it did
  seen.state = "";
  if ($("phase").textContent === "● ended") return;
  $("phase").textContent = "● no word";
  $("phase").className = `title ${PHASES.silent}`;
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

function tellEnough({ enough, control, phase }) {
  $("verdict").textContent = enough.line;
  $("verdict").className = `title ${GRADES[enough.grade]}`;
  for (const id of ["more", "rule", "drift"]) $(id).textContent = enough[id];
  $("hold").textContent = enough.held ? "Resume" : "Hold";
  $("hold").dataset.order = enough.held ? "release" : "hold";
  const live = ["running", "joining", "stopping"].includes(phase);
  $("orders").hidden = !(control && token && live && enough.rule);
  $("targets").replaceChildren(...enough.targets.map((one) => {
    const box = made("div", "", "target"), head = made("div", "", ""), now = made("div", "", "");
    head.append(made("span", one.title, "faint"), made("span", one.checks, "faint"));
    now.append(made("b", one.value, one.reached ? "good" : ""), made("span", one.interval, "faint"));
    box.append(head, now);
    if (one.share !== null) {
      const bar = made("i", "", one.reached ? "bar reached" : "bar"), done = made("i", "", "");
      done.style.width = `${100 * one.share}%`;
      bar.append(done);
      box.append(bar);
    }
    box.append(made("span", one.outlook, "faint"));
    return box;
  }));
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

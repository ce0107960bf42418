/* The page: reads points, asks the engine in its worker, and draws. */
import { Lacuna } from "./lacuna.js";
import { CLOUDS } from "./clouds.js";
import { readFile, readText } from "./read.js";
import { drawing } from "./svg.js";
import { race } from "./race.js";

const the = (id) => document.getElementById(id);
const [form, status, progress] = [the("given"), the("status"), the("progress")];
/* Longest bars of dimension 1 whose cycles are drawn. */
const CYCLES = 60;

let lacuna = null;
/* What was read last: { numbers, features, points, name }. */
let given = null;
let found = null;
let running = null;

const say = (text, wrong = false) => {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
};
const count = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;
const time = (seconds) =>
  seconds < 1 ? `${(1000 * seconds).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;

/* ---- what the browser has ---- */
const opening = Lacuna.create()
  .then((made) => {
    lacuna = made;
    const { gpu, adapter, software, maxPoints, why } = lacuna.about;
    the("device").textContent = gpu
      ? `WebGPU: ${adapter}${software ? ", which is a program on the processor" : ""}; clouds of up to ${count(maxPoints, "point")}.`
      : `No GPU for pages here (${why}): the processor computes.`;
    for (const option of the("engine").options) option.disabled = option.value === "gpu" && !gpu;
  })
  .catch((error) => say(`The engine could not be started: ${error.message}`, true));

/* ---- where points come from ---- */
CLOUDS.forEach(({ name }, i) => the("bundled").append(new Option(name, i)));

async function bundled() {
  const { name, file, make } = CLOUDS[the("bundled").value];
  const cloud = make ? make() : readText(await (await fetch(file)).text());
  return { ...cloud, name: name.split(":")[0] };
}

async function take(read) {
  try {
    const cloud = await read();
    given = cloud;
    say(`${cloud.name}: ${count(cloud.points, "point")} of ${count(cloud.features, "coordinate")}.`);
    return true;
  } catch (error) {
    say(error.message, true);
    return false;
  }
}

const fromFile = (file) => take(async () => ({ ...(await readFile(file)), name: file.name }));
the("bundled").addEventListener("change", async () => {
  the("file").value = the("pasted").value = "";
  if (await take(bundled)) compute();
});
the("file").addEventListener("change", async () => {
  const [file] = the("file").files;
  if (file && (await fromFile(file))) compute();
});
the("pasted").addEventListener("change", async () => {
  const text = the("pasted").value;
  if (text.trim() && (await take(() => ({ ...readText(text), name: "Pasted numbers" })))) compute();
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", () => document.body.classList.remove("over"));
addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && (await fromFile(file))) compute();
});

/* ---- computing ---- */
const request = (engine) => ({
  features: given.features,
  dim: Number(the("dim").value),
  metric: the("metric").value,
  engine,
  ...(given.points > Number(the("most").value) && { maxPoints: Number(the("most").value) }),
  signal: running.signal,
});

function told({ what, done, total }) {
  progress.hidden = false;
  if (done === null) say(what);
  else if (total > 0) progress.value = done / total;
}

/* Runs one thing at a time, with the buttons as they have to be meanwhile. */
async function alone(work) {
  running?.abort(new DOMException("another computation was asked for", "AbortError"));
  const mine = (running = new AbortController());
  the("stop").disabled = false;
  progress.value = 0;
  try {
    await work();
  } catch (error) {
    if (running === mine)
      say(error.name === "AbortError" ? "Stopped." : error.message, error.name !== "AbortError");
  } finally {
    if (running === mine) {
      progress.hidden = true;
      the("stop").disabled = true;
    }
  }
}

function compute() {
  return alone(async () => {
    await opening;
    if (!given && !(await take(bundled))) return;
    const cloud = given;
    say(`Computing the barcode of ${count(cloud.points, "point")} ...`);
    const asked = request(the("engine").value);
    found = await lacuna.barcode(cloud.numbers, asked, told);
    const { bars, engine, adapter, seconds, sampledFrom, coveringRadius, n } = found;
    const which = engine === "gpu" ? `on the GPU (${lacuna.about.adapter})` : "on the processor";
    const of = bars.map((list, dim) => `${list.length} in dimension ${dim}`).join(", ");
    let text = `${cloud.name}: ${count(n, "point")}, bars: ${of}; ${time(seconds)} ${which}.`;
    if (sampledFrom) {
      text += ` These are a sample of ${count(sampledFrom, "point")}.`;
      if (coveringRadius)
        text += ` Every bar's ends can be off by ${(2 * coveringRadius).toPrecision(3)} at the most.`;
    }
    say(text);
    the("both").disabled = !lacuna.about.gpu;
    await show(cloud, sampledFrom !== null);
  });
}

/* Draws what was found. Edges and cycles are found natively, so they cost a second run; the drawing does not wait. */
async function show(cloud, sampled) {
  const bars = found.bars.map((list) =>
    list.map(([birth, death]) => [birth, Number.isFinite(death) ? death : null]),
  );
  const data = {
    n: found.n,
    bars,
    edges: null,
    cycles: null,
    points: null,
    axes: "",
    nearest: null,
    whole: false,
    threshold: found.threshold,
  };
  the("result").hidden = false;
  const draw = () => {
    the("view").replaceChildren();
    lacunaBarcode(the("view"), data);
  };
  if (sampled) return draw();
  const picture = await lacuna.picture(cloud.numbers, cloud.features, the("metric").value);
  if (picture) {
    data.points = picture.places.map((place) => Array.from(place));
    data.axes = picture.axes;
    data.nearest = { ends: Array.from(picture.ends), lengths: Array.from(picture.lengths) };
    data.whole = picture.whole;
  }
  draw();
  if (!picture || found.bars.length > 3) return;
  const named = await lacuna.barcode(cloud.numbers, {
    ...request("cpu"),
    edges: true,
    cycles: found.bars.length > 1 ? CYCLES : 0,
  });
  data.edges = named.edges;
  data.cycles = {};
  const taken = new Set();
  for (const { birth, death, edges } of named.cycles ?? []) {
    const place = named.bars[1].findIndex(([b, d], i) => b === birth && d === death && !taken.has(i));
    taken.add(place);
    data.cycles[place] = edges;
  }
  draw();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  compute();
});
the("stop").addEventListener("click", () => running?.abort(new DOMException("stopped", "AbortError")));
the("both").addEventListener("click", () =>
  alone(async () => {
    say("Computing on both engines, twice each ...");
    const best = {};
    for (const engine of ["gpu", "cpu", "gpu", "cpu"]) {
      const { seconds, bars } = await lacuna.barcode(given.numbers, request(engine), told);
      if (!(best[engine]?.seconds <= seconds)) best[engine] = { seconds, bars };
    }
    const same = JSON.stringify(best.gpu.bars) === JSON.stringify(best.cpu.bars);
    say(
      `GPU ${time(best.gpu.seconds)}, processor (WebAssembly, one thread) ${time(best.cpu.seconds)}; ` +
        (same ? "the bars are equal to the last bit." : "the bars differ: please report this."),
      !same,
    );
  }),
);

/* ---- saving ---- */
function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const never = (_, value) => (value === Infinity ? null : value);
the("json").addEventListener("click", () =>
  save("barcode.json", "application/json", JSON.stringify(found, never)),
);
the("svg").addEventListener("click", () => save("barcode.svg", "image/svg+xml", drawing(found.bars)));

/* ---- tabs ---- */
const tabs = [...document.querySelectorAll("[role=tab]")];
const open = (tab) => {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    the(other.getAttribute("aria-controls")).hidden = !chosen;
  }
};
tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(i + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
});
race({ learn: the("learn"), halt: the("halt"), status: the("learning"), root: the("race") }, () =>
  opening.then(() => lacuna),
);

/* ---- without a connection ---- */
if ("serviceWorker" in navigator) navigator.serviceWorker.register("offline.js").catch(() => {});

/* The first cloud at once, so that there is something to look at. */
take(bundled).then((read) => read && compute());

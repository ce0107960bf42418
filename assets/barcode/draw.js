"use strict";
/* Draws a barcode, its persistence diagram and its points side by side. What is pointed at in one
   of them shows in all. `data` has the members
     n        number of points
     bars     for each dimension a list of [birth, death]; null never dies
     edges    for each dimension a list of [u, v, x, y]: the edges at the birth and at the death; -1
              stands for none, and in dimension 0 u is the vertex that is born; or null
     cycles   for bars of dimension 1, by their place in the list: lists of edges [u, v]
     points   coordinates in two or three dimensions, point by point, or null
     axes     what the coordinates are, in words
     nearest  the shortest edges, ascending: { ends: [u, v, u, v, ...], lengths: [...] }, or null
     whole    whether `nearest` holds all edges
     threshold  the longest edge that entered, or null */
function lacunaBarcode(root, data) {
  const colours = ["#0072b2", "#d55e00", "#009e73", "#b35a94"];
  const one = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const number = (x) => (x === null ? "never" : String(Number(x.toPrecision(4))));
  const all = [];
  data.bars.forEach((bars, dim) =>
    bars.forEach(([birth, death], place) => all.push({ dim, place, birth, death })));
  const ends = all.flatMap((b) => [b.birth, b.death]).filter((x) => x !== null);
  const least = ends.reduce((a, b) => Math.min(a, b), 0);
  const most = ends.reduce((a, b) => Math.max(a, b), least);
  /* Beyond the threshold nothing is known. */
  const beyond = most + (0.05 * (most - least) || 1e-3 * Math.abs(most) || 1);
  const end = data.threshold !== null && data.threshold > least ? data.threshold : beyond;
  const state = { scale: least, shown: null, pinned: null, turn: [0.6, 0.4] };

  const style = () => getComputedStyle(root);
  const ink = () => style().getPropertyValue("--ink") || "#222";
  const soft = () => style().getPropertyValue("--line") || "#ddd";

  /* One canvas that fills its pane, drawn at the screen's own resolution. */
  const pane = (title, ratio, label) => {
    const canvas = one("canvas", { tabindex: "0", role: "img", "aria-label": label });
    const figure = one("figure", {}, one("figcaption", {}, title), canvas);
    const size = () => {
      const width = canvas.clientWidth;
      const height = Math.round(typeof ratio === "function" ? ratio(width) : width * ratio);
      canvas.style.height = `${height}px`;
      const fine = window.devicePixelRatio || 1;
      canvas.width = width * fine;
      canvas.height = height * fine;
      const context = canvas.getContext("2d");
      context.setTransform(fine, 0, 0, fine, 0, 0);
      context.clearRect(0, 0, width, height);
      context.font = "12px system-ui, sans-serif";
      return { context, width, height };
    };
    return { figure, canvas, size };
  };

  /* ---- the barcode ---- */
  const lists = data.bars.map((_, dim) => {
    const bars = all.filter((b) => b.dim === dim);
    return bars.sort((a, b) => a.birth - b.birth || (a.death ?? Infinity) - (b.death ?? Infinity));
  });
  const row = (count) => Math.max(0.1, Math.min(9, 260 / Math.max(count, 1)));
  const heightOf = (bars) => 24 + Math.max(10, bars.length * row(bars.length)) + 10;
  const barcode = pane("Barcode", () => lists.reduce((sum, of) => sum + heightOf(of), 24),
    "The bars of every dimension. The arrow keys go from bar to bar.");
  const left = 12;
  const at = (x, width) => left + ((x - least) / (end - least)) * (width - 2 * left);
  let rows = [];
  const drawBarcode = () => {
    const { context, width, height } = barcode.size();
    let y = 0;
    rows = [];
    lists.forEach((bars, dim) => {
      context.fillStyle = ink();
      context.fillText(`H${dim}: ${bars.length} ${bars.length === 1 ? "bar" : "bars"}`, left, y + 14);
      y += 24;
      const high = row(bars.length);
      bars.forEach((bar, place) => {
        const top = y + place * high;
        rows.push({ bar, y: top + high / 2, high });
        context.fillStyle = colours[dim];
        const from = at(bar.birth, width), to = bar.death === null ? width : at(bar.death, width);
        context.fillRect(from, top + 0.1 * high, Math.max(1, to - from), Math.max(0.4, 0.8 * high));
      });
      y += Math.max(10, bars.length * high) + 10;
    });
    const shown = state.shown || state.pinned;
    const marked = shown && rows.find((r) => r.bar === shown);
    if (marked) {
      const { bar, y } = marked;
      context.fillStyle = ink();
      const to = bar.death === null ? width : at(bar.death, width);
      context.fillRect(at(bar.birth, width), y - 2, Math.max(2, to - at(bar.birth, width)), 4);
    }
    context.fillStyle = ink();
    context.globalAlpha = 0.5;
    context.fillRect(at(state.scale, width), 0, 1, height - 20);
    context.globalAlpha = 1;
    ticks(context, (x) => at(x, width), height - 6);
  };

  /* Whole steps of 1, 2 or 5 times a power of ten along an axis. */
  const steps = () => {
    const raw = (end - least) / 5, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= raw);
    const found = [];
    for (let k = Math.ceil(least / step); k * step <= end && found.length < 20; k++) {
      found.push(Number((k * step).toPrecision(6)));
    }
    return found;
  };
  const ticks = (context, place, y) => {
    context.fillStyle = ink();
    context.textAlign = "center";
    steps().forEach((x) => context.fillText(String(x), place(x), y));
    context.textAlign = "left";
  };

  /* ---- the diagram ---- */
  const diagram = pane("Persistence diagram", (width) => Math.min(width, 360),
    "Every bar as a point: its birth across, its death upwards; at the top what never dies.");
  let spots = [];
  const drawDiagram = () => {
    const { context, width, height } = diagram.size();
    const edge = 44, high = height - 2 * edge;
    const x = (v) => edge + ((v - least) / (end - least)) * (width - 2 * edge);
    const y = (v) => (v === null ? edge - 14 : edge + high - ((v - least) / (end - least)) * high);
    context.strokeStyle = soft();
    context.strokeRect(edge, edge, width - 2 * edge, high);
    context.beginPath();
    context.moveTo(x(least), y(least));
    context.lineTo(x(end), y(end));
    context.moveTo(x(state.scale), y(state.scale));
    context.lineTo(x(state.scale), edge);
    context.moveTo(x(state.scale), y(state.scale));
    context.lineTo(x(least), y(state.scale));
    context.stroke();
    spots = all.map((bar) => ({ bar, x: x(bar.birth), y: y(bar.death) }));
    for (const { bar, x, y } of spots) {
      context.fillStyle = colours[bar.dim];
      context.globalAlpha = 0.7;
      context.beginPath();
      context.arc(x, y, 3, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    const shown = state.shown || state.pinned;
    const spot = shown && spots.find((s) => s.bar === shown);
    if (spot) {
      context.strokeStyle = ink();
      context.lineWidth = 2;
      context.beginPath();
      context.arc(spot.x, spot.y, 6, 0, 7);
      context.stroke();
      context.lineWidth = 1;
    }
    ticks(context, x, height - edge + 16);
    context.fillStyle = ink();
    context.textAlign = "right";
    steps().slice(1).forEach((v) => context.fillText(String(v), edge - 5, y(v) + 4));
    context.fillText("birth", width - edge, height - 6);
    context.fillText("never dies", width - edge, edge - 10);
    context.textAlign = "left";
    context.save();
    context.translate(11, edge + high / 2 + 16);
    context.rotate(-Math.PI / 2);
    context.fillText("death", 0, 0);
    context.restore();
  };

  /* ---- the Betti curves ---- */
  const betti = pane("Betti curves", () => 150,
    "How many bars of every dimension there are at each scale, each curve up to its own maximum.");
  const curves = lists.map((bars) => {
    const changes = bars.flatMap(({ birth, death }) => [[birth, 1], [death ?? Infinity, -1]]);
    changes.sort((p, q) => p[0] - q[0]);
    const steps = [];
    let count = 0;
    for (const [scale, by] of changes) {
      count += by;
      if (steps.at(-1)?.scale === scale) steps.at(-1).count = count;
      else steps.push({ scale, count });
    }
    return { steps, most: steps.reduce((m, s) => Math.max(m, s.count), 0) };
  });
  const drawBetti = () => {
    const { context, width, height } = betti.size();
    const [top, bottom] = [18, height - 22];
    curves.forEach(({ steps, most }, dim) => {
      const y = (count) => bottom - (count / Math.max(most, 1)) * (bottom - top);
      context.strokeStyle = context.fillStyle = colours[dim];
      context.fillText(`H${dim}: up to ${most}`, left + dim * Math.min(120, width / 3), 12);
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(left, y(0));
      let last = 0;
      for (const { scale, count } of steps) {
        if (scale > end) break;
        context.lineTo(at(scale, width), y(last));
        context.lineTo(at(scale, width), y(count));
        last = count;
      }
      context.lineTo(at(end, width), y(last));
      context.stroke();
      context.lineWidth = 1;
    });
    context.fillStyle = ink();
    context.globalAlpha = 0.5;
    context.fillRect(at(state.scale, width), top, 1, bottom - top);
    context.globalAlpha = 1;
    ticks(context, (x) => at(x, width), height - 6);
  };

  /* ---- the points ---- */
  const points = data.points && pane("Points", (width) => Math.min(width, 520),
    "The points, the edges up to the scale, and the edges of the bar that is pointed at.");
  const flat = data.points && data.points[0].length < 3;
  const drawPoints = () => {
    if (!points) return;
    const { context, width, height } = points.size();
    const [a, b] = state.turn;
    const centre = [0, 1, 2].map((k) => {
      const of = data.points.map((p) => p[k] ?? 0);
      return (of.reduce((x, y) => Math.min(x, y)) + of.reduce((x, y) => Math.max(x, y))) / 2;
    });
    const seen = data.points.map((p) => {
      const [x, y, z] = centre.map((c, k) => (p[k] ?? 0) - c);
      if (flat) return [x, -y];
      const across = Math.cos(a) * x + Math.sin(a) * y, deep = Math.cos(a) * y - Math.sin(a) * x;
      return [across, Math.sin(b) * deep - Math.cos(b) * z];
    });
    /* A ball around the points fits at every angle; flat ones fill the pane. */
    const far = flat
      ? Math.max(...[0, 1].map((k) => seen.reduce((m, p) => Math.max(m, Math.abs(p[k])), 1e-30)))
      : data.points.reduce((m, p) =>
          Math.max(m, Math.hypot(...centre.map((c, k) => (p[k] ?? 0) - c))), 1e-30);
    const room = Math.min(width, height) / 2 - 14;
    const place = seen.map(([x, y]) => [width / 2 + (x / far) * room, height / 2 + (y / far) * room]);
    const lines = (edges, colour, wide, dash) => {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.setLineDash(dash || []);
      context.beginPath();
      for (const [u, v] of edges) {
        context.moveTo(...place[u]);
        context.lineTo(...place[v]);
      }
      context.stroke();
      context.setLineDash([]);
      context.lineWidth = 1;
    };
    if (data.nearest) {
      const { ends, lengths } = data.nearest;
      const within = [];
      for (let e = 0; e < lengths.length && lengths[e] <= state.scale; e++) {
        within.push([ends[2 * e], ends[2 * e + 1]]);
      }
      /* Many edges hide the points unless they are faint. */
      context.globalAlpha = Math.max(0.06, Math.min(0.5, 1200 / Math.max(within.length, 1)));
      lines(within, colours[0], 1);
      context.globalAlpha = 1;
    }
    context.fillStyle = ink();
    const dot = Math.max(1.2, Math.min(3, 60 / Math.sqrt(place.length)));
    for (const [x, y] of place) {
      context.beginPath();
      context.arc(x, y, dot, 0, 7);
      context.fill();
    }
    const bar = state.shown || state.pinned;
    if (!bar) return;
    const cycle = bar.dim === 1 && data.cycles && data.cycles[bar.place];
    if (cycle) lines(cycle, colours[1], 3);
    const simplices = data.edges && data.edges[bar.dim] && data.edges[bar.dim][bar.place];
    if (!simplices) return;
    const [u, v, x, y] = simplices;
    if (x >= 0) lines([[x, y]], ink(), 2.5, [5, 4]);
    if (bar.dim > 0) lines([[u, v]], colours[2], 4);
    context.fillStyle = colours[2];
    for (const vertex of bar.dim > 0 ? [u, v] : [u]) {
      context.beginPath();
      context.arc(...place[vertex], 5, 0, 7);
      context.fill();
    }
  };

  /* ---- what is said in words ---- */
  const slider = one("input", { type: "range", min: "0", max: "1000", value: "0", id: "scale" });
  const said = one("output", { for: "scale" });
  const told = one("p", { "aria-live": "polite", class: "told" });
  const tell = () => {
    const alive = data.bars.map((bars) =>
      bars.filter(([b, d]) => b <= state.scale && (d === null || state.scale < d)).length);
    const cut = data.nearest && !data.whole && state.scale > data.nearest.lengths.at(-1);
    said.textContent = `${number(state.scale)}: Betti numbers ${alive.join(", ")}` +
      (cut ? ` (the ${data.nearest.lengths.length} shortest edges are drawn)` : "");
    const bar = state.shown || state.pinned;
    if (!bar) {
      told.textContent = "Point at a bar, in the barcode or in the diagram. A click keeps it.";
      return;
    }
    const simplices = data.edges && data.edges[bar.dim] && data.edges[bar.dim][bar.place];
    const edge = (u, v) => ` (edge ${u} to ${v})`;
    let text = `H${bar.dim}: born at ${number(bar.birth)}`;
    if (simplices) text += bar.dim ? edge(simplices[0], simplices[1]) : ` (point ${simplices[0]})`;
    text += bar.death === null ? ", never dies" : `, dies at ${number(bar.death)}`;
    if (simplices && bar.death !== null) text += edge(simplices[2], simplices[3]);
    if (bar.death !== null) text += `, length ${number(bar.death - bar.birth)}`;
    const cycle = bar.dim === 1 && data.cycles && data.cycles[bar.place];
    if (cycle) text += `; its cycle has ${cycle.length} edges`;
    told.textContent = text + (bar === state.pinned ? ". Kept: click again to let go." : ".");
  };

  let waiting = false;
  const draw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawBarcode();
      drawDiagram();
      drawBetti();
      drawPoints();
      tell();
    });
  };

  /* ---- pointing ---- */
  const place = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const barUnder = (event) => {
    const [x, y] = place(event, barcode.canvas);
    const width = barcode.canvas.clientWidth;
    const near = rows.filter((r) => Math.abs(r.y - y) <= Math.max(4, r.high / 2));
    const length = (b) => (b.death ?? end) - b.birth;
    const covers = near.filter(({ bar }) =>
      at(bar.birth, width) - 4 <= x && x <= (bar.death === null ? width : at(bar.death, width)) + 4);
    /* Where bars are thinner than a pixel, the longest of those under the pointer is meant. */
    return covers.sort((p, q) => length(q.bar) - length(p.bar))[0]?.bar ?? null;
  };
  const spotUnder = (event) => {
    const [x, y] = place(event, diagram.canvas);
    const far = (s) => Math.hypot(s.x - x, s.y - y);
    const nearest = spots.reduce((best, s) => (!best || far(s) < far(best) ? s : best), null);
    return nearest && far(nearest) < 14 ? nearest.bar : null;
  };
  const listen = (canvas, under) => {
    canvas.addEventListener("pointermove", (event) => {
      const bar = under(event);
      if (bar !== state.shown) { state.shown = bar; draw(); }
    });
    canvas.addEventListener("pointerleave", () => { state.shown = null; draw(); });
    canvas.addEventListener("click", (event) => {
      const bar = under(event);
      state.pinned = bar === state.pinned ? null : bar;
      draw();
    });
  };
  listen(barcode.canvas, barUnder);
  listen(diagram.canvas, spotUnder);
  barcode.canvas.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !rows.length) return;
    event.preventDefault();
    const now = rows.findIndex((r) => r.bar === state.pinned);
    state.pinned = rows[Math.max(0, Math.min(rows.length - 1, now + step))].bar;
    draw();
  });
  slider.addEventListener("input", () => {
    state.scale = least + (slider.value / 1000) * (end - least);
    draw();
  });
  if (points && !flat) {
    let from = null;
    points.canvas.style.touchAction = "none";
    points.canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      points.canvas.setPointerCapture(event.pointerId);
    });
    points.canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      state.turn[0] += (event.clientX - from[0]) / 150;
      state.turn[1] = Math.max(-1.57, Math.min(1.57, state.turn[1] + (event.clientY - from[1]) / 150));
      from = [event.clientX, event.clientY];
      draw();
    });
    points.canvas.addEventListener("pointerup", () => { from = null; });
  }

  const bar = one("div", { class: "bar" }, one("label", { for: "scale" }, "Scale"), slider, said);
  const beside = one("div", { class: "beside" }, diagram.figure, betti.figure, barcode.figure);
  if (points) {
    const words = flat ? data.axes : `${data.axes}; drag to turn`;
    points.figure.append(one("p", { class: "axes" }, words));
    root.append(bar, told, one("div", { class: "panes" }, points.figure, beside));
  } else {
    root.append(bar, told, beside);
  }
  new ResizeObserver(draw).observe(root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  /* At first in the middle of the longest bar of the highest dimension. */
  const living = all.filter((b) => b.death !== null).sort((p, q) =>
    q.dim - p.dim || (q.death - q.birth) - (p.death - p.birth))[0];
  if (living) {
    state.scale = (living.birth + living.death) / 2;
    slider.value = Math.round((1000 * (state.scale - least)) / (end - least));
  }
  draw();
}

// Draws the charts of a page anew from their numbers, so that they show values under the pointer and
// fill the page; a click on a name in the legend hides its line. Charts of a film are shown one frame
// after the other. Without scripts the drawings stay.
(() => {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const short = v => v == null ? '' : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3)
    ? v.toExponential(2) : String(+v.toFixed(4));
  const dash = i => i < 10 ? undefined : i < 20 ? [9, 4] : [2, 4];
  const figures = [...document.querySelectorAll('figure[data-chart]')];
  const charts = new Map(figures.map(f => [f, JSON.parse(f.dataset.chart)]));
  // The same heights in every frame of a film, chart by chart.
  for (const film of document.querySelectorAll('.film')) {
    const frames = [...film.querySelectorAll('section')].map(s => [...s.querySelectorAll('figure')]);
    for (let i = 0; i < (frames[0] ?? []).length; i++) {
      const alike = frames.map(f => charts.get(f[i])).filter(Boolean);
      const values = alike.flatMap(c => c.series.flatMap(s => s.points.map(p => p[1] ?? 0)));
      for (const chart of alike) chart.range = [Math.min(0, ...values), 1.05 * Math.max(1e-9, ...values)];
    }
  }
  for (const [figure, chart] of charts) {
    const xs = [...new Set(chart.series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
    if (!xs.length) continue;
    const column = s => { const at = new Map(s.points); return xs.map(x => at.get(x) ?? null); };
    const data = [xs, ...chart.series.map(column)];
    const whole = numbers => numbers.every(n => n == null || Number.isInteger(n));
    const ticks = all => all ? (u, splits) => splits.map(v => Number.isInteger(v) ? String(v) : '')
      : (u, splits) => splits.map(short);
    // A line that goes straight up somewhere is a step function: it stays level until the next point.
    const steps = chart.series.some(s => s.points.some((p, i) => i && p[0] === s.points[i - 1][0]));
    const paths = steps ? uPlot.paths.stepped({ align: 1 }) : undefined;
    const caption = document.createElement('figcaption');
    caption.textContent = chart.title;
    let plot = null;
    const draw = () => {
      if (!figure.clientWidth) return;
      figure.querySelector(':scope > svg')?.remove();
      if (!caption.isConnected) figure.append(caption);
      const ink = getComputedStyle(document.body).color, faint = dark.matches ? '#3a3a3a' : '#e6e6e6';
      const axis = (label, all) => ({ label, stroke: ink, grid: { stroke: faint, width: 1 },
        ticks: { stroke: faint }, values: ticks(all) });
      // As wide as the longest number beside it.
      const room = (u, values) => 18 + 7 * Math.max(3, ...(values ?? []).map(v => String(v).length));
      const width = Math.max(260, figure.clientWidth);
      const options = {
        width, height: Math.round(Math.min(420, Math.max(260, width * 0.5))), title: '',
        scales: { x: { time: false }, y: chart.range ? { range: chart.range } : {} },
        cursor: { focus: { prox: 30 } }, focus: { alpha: 0.25 },
        axes: [axis(chart.x, whole(xs)), { ...axis(chart.y, whole(data.slice(1).flat())), size: room }],
        series: [{ label: chart.x.split(' (')[0], value: (u, v) => short(v) }, ...chart.series.map((s, i) => ({
          label: s.name, stroke: chart.colours[i % chart.colours.length], width: 2, dash: dash(i),
          paths, spanGaps: true, value: (u, v) => short(v),
          points: { show: !steps && s.points.length <= 40, size: 6 },
        }))],
      };
      const hidden = plot && plot.series.map(s => !s.show);
      if (plot) plot.destroy();
      plot = new uPlot(options, data, figure);
      if (hidden) hidden.forEach((h, i) => h && plot.setSeries(i, { show: false }));
    };
    draw();
    let late, wide = figure.clientWidth;
    new ResizeObserver(() => {
      if (figure.clientWidth === wide) return;
      wide = figure.clientWidth;
      clearTimeout(late);
      late = setTimeout(draw, plot ? 150 : 0);
    }).observe(figure);
    dark.addEventListener('change', draw);
  }
  for (const film of document.querySelectorAll('.film')) {
    const frames = [...film.querySelectorAll('section')];
    if (frames.length < 2) continue;
    const element = (name, set) => Object.assign(document.createElement(name), set);
    const bar = element('p', { className: 'bar' }), play = element('button', { type: 'button' });
    const slide = element('input', { type: 'range', min: 0, max: frames.length - 1, value: frames.length - 1 });
    const name = element('span', {});
    slide.setAttribute('aria-label', 'time');
    bar.append(play, slide, name);
    film.prepend(bar);
    let timer = null;
    const show = () => {
      frames.forEach((f, i) => { f.hidden = i !== +slide.value; });
      name.textContent = frames[slide.value].dataset.name;
    };
    const stop = () => { clearInterval(timer); timer = null; play.textContent = 'Play'; };
    play.onclick = () => {
      if (timer) return stop();
      play.textContent = 'Stop';
      timer = setInterval(() => { slide.value = (+slide.value + 1) % frames.length; show(); }, 700);
    };
    slide.oninput = () => { stop(); show(); };
    stop();
    show();
  }
})();

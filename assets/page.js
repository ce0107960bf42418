// Draws the charts of a page anew from their numbers, so that they show values under the pointer and
// fill the page; a click on a name in the legend hides its line. Without scripts the drawings stay.
(() => {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const short = v => v == null ? '' : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3)
    ? v.toExponential(2) : String(+v.toFixed(4));
  const dash = i => i < 10 ? undefined : i < 20 ? [9, 4] : [2, 4];
  for (const figure of document.querySelectorAll('figure[data-chart]')) {
    const chart = JSON.parse(figure.dataset.chart);
    const xs = [...new Set(chart.series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
    if (!xs.length) continue;
    const column = s => { const at = new Map(s.points); return xs.map(x => at.get(x) ?? null); };
    const data = [xs, ...chart.series.map(column)];
    const whole = numbers => numbers.every(n => n == null || Number.isInteger(n));
    const ticks = all => all ? (u, splits) => splits.map(v => Number.isInteger(v) ? String(v) : '')
      : (u, splits) => splits.map(short);
    let plot = null;
    const draw = () => {
      const ink = getComputedStyle(document.body).color, faint = dark.matches ? '#3a3a3a' : '#e6e6e6';
      const axis = (label, all) => ({ label, stroke: ink, grid: { stroke: faint, width: 1 },
        ticks: { stroke: faint }, values: ticks(all) });
      const width = Math.max(260, figure.clientWidth);
      const options = {
        width, height: Math.round(Math.min(420, Math.max(260, width * 0.5))), title: '',
        scales: { x: { time: false } }, cursor: { focus: { prox: 30 } }, focus: { alpha: 0.25 },
        axes: [axis(chart.x, whole(xs)), axis(chart.y, whole(data.slice(1).flat()))],
        series: [{ label: chart.x, value: (u, v) => short(v) }, ...chart.series.map((s, i) => ({
          label: s.name, stroke: chart.colours[i % chart.colours.length], width: 2, dash: dash(i),
          spanGaps: true, value: (u, v) => short(v), points: { show: s.points.length <= 40, size: 6 },
        }))],
      };
      const hidden = plot && plot.series.map(s => !s.show);
      if (plot) plot.destroy();
      plot = new uPlot(options, data, figure);
      if (hidden) hidden.forEach((h, i) => h && plot.setSeries(i, { show: false }));
    };
    figure.querySelector('svg').remove();
    const caption = document.createElement('figcaption');
    caption.textContent = chart.title;
    figure.append(caption);
    draw();
    let late; addEventListener('resize', () => { clearTimeout(late); late = setTimeout(draw, 150); });
    dark.addEventListener('change', draw);
  }
})();

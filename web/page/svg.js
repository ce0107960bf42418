/* A barcode as a drawing of its own. */

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b35a94"];

/** The bars of every dimension as an SVG; those that never die reach the right edge. */
export function drawing(bars) {
  const [width, left, high] = [800, 20, 4];
  const ends = bars.flat(2).filter(Number.isFinite);
  const most = 1.05 * ends.reduce((a, b) => Math.max(a, b), 0) || 1;
  const x = (value) => left + (Math.min(value, most) / most) * (width - 2 * left);
  const parts = [];
  let y = 10;
  bars.forEach((list, dim) => {
    parts.push(
      `<text x="${left}" y="${y + 14}">H${dim}: ${list.length} ${list.length === 1 ? "bar" : "bars"}</text>`,
    );
    y += 24;
    const sorted = [...list].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (const [birth, death] of sorted) {
      const wide = Math.max(0.5, x(death) - x(birth));
      parts.push(
        `<rect x="${x(birth).toFixed(2)}" y="${y}" width="${wide.toFixed(2)}" height="${high - 1}" fill="${COLOURS[dim]}"/>`,
      );
      y += high;
    }
    y += 12;
  });
  for (let k = 0; k <= 4; k++) {
    const value = (most * k) / 4;
    parts.push(
      `<text x="${x(value)}" y="${y + 14}" text-anchor="middle">${Number(value.toPrecision(3))}</text>`,
    );
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 24}" font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="#fff"/>${parts.join("")}</svg>\n`
  );
}

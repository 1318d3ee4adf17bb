// Charts: thin wrappers around uPlot that take their colours from the page, share one cursor, and are made
// anew when the page changes its width or its colours.
const charts = (() => {
  const all = [], sync = uPlot.sync('time');
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (name) => { const value = css(name); return /^\d/.test(value) ? `rgb(${value})` : value; };
  const faint = (name, alpha) => `rgba(${css(name)},${alpha})`;
  // No zero below zero: `negative` drops the sign where nothing but zeros is left.
  const number = (value, digits = 2) => value == null || !Number.isFinite(value) ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'negative' });
  const axis = (more) => ({ stroke: colour('--soft'), grid: { stroke: colour('--grid'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 }, font: '12px system-ui', ...more });

  // `make` returns uPlot's options but for the width, and the data.
  const add = (host, make) => {
    const entry = { host, make, chart: null };
    all.push(entry);
    draw(entry);
  };
  const draw = (entry) => {
    const range = entry.chart && entry.time ? { ...entry.chart.scales.x } : null;
    if (entry.chart) entry.chart.destroy();
    const { options, data } = entry.make();
    entry.time = options.time !== false;
    options.width = Math.max(entry.host.clientWidth, 200);
    entry.chart = new uPlot(options, data, entry.host);
    fingers(entry.chart.over);
    if (range && range.min != null) entry.chart.setScale('x', { min: range.min, max: range.max });
  };
  // The library hears of a mouse alone: a finger that moves sideways is one, and up and down it scrolls the page.
  const fingers = (over) => {
    const mice = { pointerdown: 'mousedown', pointermove: 'mousemove', pointerup: 'mouseup', pointercancel: 'mouseup' };
    for (const [finger, mouse] of Object.entries(mice)) {
      over.addEventListener(finger, ({ pointerType, clientX, clientY }) => {
        if (pointerType !== 'touch') return;
        over.dispatchEvent(new MouseEvent(mouse, { bubbles: true, button: 0, clientX, clientY, movementX: 1 }));
      });
    }
  };
  const redraw = () => all.forEach(draw);
  let width = window.innerWidth;
  window.addEventListener('resize', () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    redraw();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

  // All charts over time show the same stretch.
  let moving = false;
  const follow = (self, key) => {
    if (key !== 'x' || moving) return;
    moving = true;
    const { min, max } = self.scales.x;
    for (const { chart, time } of all) {
      if (time && chart && chart !== self) chart.setScale('x', { min, max });
    }
    moving = false;
  };
  const overTime = (height, series, more = {}) => ({
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), 'Etc/UTC'),
    cursor: { sync: { key: sync.key }, drag: { x: true, y: false } },
    axes: [axis(), axis({ size: 62, ...more.y })],
    scales: more.scales || {},
    series: [{ label: 'Time', value: '{YYYY}-{MM}-{DD} {HH}:{mm}' }, ...series],
    hooks: { setScale: [follow], ...(more.hooks || {}) },
  });
  return { add, overTime, axis, colour, faint, number, css };
})();

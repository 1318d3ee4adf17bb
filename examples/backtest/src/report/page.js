// Builds the sections of a report from the data that the page holds.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent), app = document.getElementById('app');
  const { add, overTime, axis, colour, faint, number } = charts;
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const section = (title, ...children) => {
    const made = make('section', {}, make('h2', {}, title), ...children);
    app.append(made);
    return made;
  };
  const chart = (title, hint, build) => {
    const host = make('div', { class: 'chart' });
    section(title, make('p', { class: 'hint' }, hint), host);
    add(host, build);
  };
  const withUnit = (value, unit) => value == null || !Number.isFinite(value) ? '–'
    : unit === '%' ? number(value) + '\u00a0%' : unit === 'days' ? number(value, 1) + '\u00a0d'
    : unit === 'count' ? number(value, 0) : number(value);
  const signed = (value, text) => make('span', { class: value > 0 ? 'plus' : value < 0 ? 'minus' : '' }, text);

  // A table whose columns sort. A column: title, what of a row, and how it is shown.
  const table = (columns, rows, tall) => {
    const body = make('tbody'), heads = make('tr');
    let sorted = rows.slice();
    const fill = () => body.replaceChildren(...sorted.map((row) => make('tr', {}, ...columns.map((column) => {
      const shown = column.show ? column.show(row) : row[column.of];
      return make('td', {}, shown == null ? '–' : shown);
    }))));
    columns.forEach((column) => {
      const head = make('th', { class: 'sorts', tabindex: '0', scope: 'col' }, column.title);
      const sort = () => {
        const up = head.getAttribute('aria-sort') === 'descending';
        for (const other of heads.children) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        const value = (row) => row[column.of] == null ? -Infinity : row[column.of];
        sorted.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (up ? 1 : -1));
        fill();
      };
      head.addEventListener('click', sort);
      head.addEventListener('keydown', (event) => { if (event.key === 'Enter') sort(); });
      heads.append(head);
    });
    fill();
    return make('div', { class: tall ? 'scroll tall' : 'scroll' }, make('table', {}, make('thead', {}, heads), body));
  };

  if (data.warning) section('Incomplete', data.warning);

  const figure = (name) => (data.figures || []).find((row) => row.name === name) || {};
  const card = (name, title) => {
    const { value, unit, hold } = figure(name);
    const beside = hold == null ? '' : '; buy and hold ' + withUnit(hold, unit);
    return make('div', { class: 'card' }, make('b', {}, withUnit(value, unit)), make('span', {}, title + beside));
  };
  if (data.figures) app.append(make('div', { class: 'cards' }, card('return_pct', 'return'), card('cagr_pct', 'a year'),
    card('sharpe', 'Sharpe ratio'), card('drawdown_max_pct', 'max. drawdown'), card('trades', 'trades'),
    card('win_rate_pct', 'trades that win')));

  const several = data.assets.length > 1;
  const marks = (asset) => (self) => {
    const { ctx } = self, { min, max } = self.scales.x;
    const shown = data.trades.filter((t) => t.asset === asset && t.exit_s >= min && t.entry_s <= max);
    // Where there are many, they leave the price to be seen; zoomed in, there are fewer.
    const size = (shown.length > 300 ? 1.5 : 5) * devicePixelRatio;
    const arrow = (time, price, up, filled) => {
      if (time < min || time > max) return;
      const x = self.valToPos(time, 'x', true), y = self.valToPos(price, 'y', true), way = up ? 1 : -1;
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(x - size, y + way * 1.8 * size);
      ctx.lineTo(x + size, y + way * 1.8 * size);
      ctx.closePath();
      ctx.fillStyle = ctx.strokeStyle = colour(up ? '--gain' : '--loss');
      ctx.lineWidth = devicePixelRatio;
      if (filled) ctx.fill(); else ctx.stroke();
    };
    ctx.save();
    for (const trade of shown) {
      ctx.beginPath();
      ctx.moveTo(self.valToPos(trade.entry_s, 'x', true), self.valToPos(trade.entry_price, 'y', true));
      ctx.lineTo(self.valToPos(trade.exit_s, 'x', true), self.valToPos(trade.exit_price, 'y', true));
      ctx.strokeStyle = colour(trade.profit > 0 ? '--gain' : '--loss');
      ctx.globalAlpha = .5;
      ctx.lineWidth = devicePixelRatio;
      ctx.stroke();
      ctx.globalAlpha = 1;
      arrow(trade.entry_s, trade.entry_price, trade.size > 0, true);
      arrow(trade.exit_s, trade.exit_price, trade.size < 0, false);
    }
    ctx.restore();
  };
  data.assets.forEach((asset, at) => {
    if (!asset.times.length) return;
    const title = several ? `${asset.symbol}: price and trades` : 'Price and trades';
    const names = { quotes: ['Ask', 'Bid', 'Middle'], ticks: ['High', 'Low', 'Price'] }[asset.kind] || ['High', 'Low', 'Close'];
    const aggregated = asset.step > 1 ? ` One point stands for ${asset.step} ${asset.kind}.` : '';
    const hint = at ? '' : 'Filled: entry; hollow: exit. Drag sideways to zoom, double-click to zoom out.';
    chart(title, (hint + aggregated).trim(), () => ({
      options: overTime(several ? 240 : 320, [
        { label: names[0], stroke: 'transparent', points: { show: false } },
        { label: names[1], stroke: 'transparent', points: { show: false } },
        { label: names[2], stroke: colour('--ink'), width: 1.2, points: { show: false } },
      ], { hooks: { draw: [marks(at)] } }),
      data: [asset.times, asset.high, asset.low, asset.close],
    }));
  });
  const aggregated = data.step > 1 ? ` One point stands for ${data.step} events.` : '';
  if (data.times.length) {
    const held = several ? 'Beside holding all assets in equal parts.' : 'Beside buying at the first close and holding.';
    chart('Equity', held + aggregated, () => ({
      options: overTime(260, [
        { label: 'Equity', stroke: colour('--best'), width: 1.6, points: { show: false } },
        { label: 'Buy and hold', stroke: colour('--hold'), width: 1.1, points: { show: false } },
      ]),
      data: [data.times, data.equity, data.hold],
    }));
    chart('Drawdown, %', 'How far the equity is below its highest value so far.', () => ({
      options: overTime(170, [
        { label: 'Drawdown', stroke: colour('--loss'), fill: faint('--loss', .2), width: 1.2, points: { show: false } },
      ]),
      data: [data.times, data.drawdown],
    }));
  }
  if (data.rolling && data.rolling.times.length) {
    chart(`Sharpe ratio of the last ${data.rolling_days} days`, 'For a year.', () => ({
      options: overTime(170, [{ label: 'Sharpe', stroke: colour('--best'), width: 1.2, points: { show: false } }]),
      data: [data.rolling.times, data.rolling.values],
    }));
  }
  if (data.returns) {
    chart('Returns of days', 'How many days had which return, in %. The outermost columns hold what is beyond.', () => ({
      options: {
        height: 200, time: false,
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: false } },
        axes: [axis({ values: (_, ticks) => ticks.map((tick) => number(tick, 1)) }), axis({ size: 62 })],
        series: [{ label: 'Return %', value: (_, value) => number(value) },
          { label: 'Days', stroke: colour('--best'), fill: faint('--gain', .45), paths: uPlot.paths.bars({ size: [.92, 60] }), points: { show: false } }],
      },
      data: [data.returns.middles, data.returns.counts],
    }));
  }
  if (data.months && data.months.length) {
    const cell = (value) => value == null ? make('td') : make('td', {
      style: `background:rgba(var(--${value < 0 ? 'loss' : 'gain'}),${(Math.min(Math.abs(value) / 15, 1) * .55).toFixed(2)})`,
    }, number(value, 1));
    const names = ['Year', ...'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' '), 'Year'];
    const head = make('tr', {}, ...names.map((name) => make('th', {}, name)));
    const rows = data.months.map(([year, months, whole]) => make('tr', {}, make('td', {}, String(year)), ...months.map(cell), cell(whole)));
    section('Months and years, %', make('div', { class: 'scroll' }, make('table', { class: 'months' }, make('thead', {}, head), make('tbody', {}, ...rows))));
  }
  if (data.folds) {
    const folds = data.folds.folds.map((fold, at) => ({ ...fold, at: at + 1 }));
    section('Walk-forward', make('p', { class: 'hint' },
      `Chosen on the first stretch, traded on the second. Growth outside over growth inside, each for a moment: ${number(data.folds.walk_forward_efficiency)}.`),
    table([
      { title: 'Fold', of: 'at' }, { title: 'Trained', of: 'train', show: (f) => f.train.join(' – ') },
      { title: 'Traded', of: 'test', show: (f) => f.test.join(' – ') }, { title: 'Chosen', of: 'chosen' },
      { title: 'Inside %', of: 'inside_return_pct', show: (f) => signed(f.inside_return_pct, number(f.inside_return_pct)) },
      { title: 'Outside %', of: 'outside_return_pct', show: (f) => signed(f.outside_return_pct, number(f.outside_return_pct)) },
      { title: 'Trades', of: 'trades' },
    ], folds));
  }
  if (data.search) heatMap(data.search);
  if (data.facts.length) {
    section('How sober is that?', make('div', { class: 'scroll' }, make('table', { class: 'wrap' }, make('tbody', {},
      ...data.facts.map(([name, value]) => make('tr', {}, make('td', {}, name), make('td', {}, value)))))));
  }
  if (data.figures) {
    section('Figures', table([
      { title: 'Figure', of: 'title', show: (row) => make('span', { class: 'free' }, row.title) }, { title: 'Strategy', of: 'value', show: (row) => withUnit(row.value, row.unit) },
      { title: 'Buy and hold', of: 'hold', show: (row) => withUnit(row.hold, row.unit) },
    ], data.figures));
  }
  if (several && data.by_asset.length) {
    const money = (of) => (row) => row[of] == null ? null : signed(row[of], number(row[of]));
    const plain = (of) => (row) => number(row[of]);
    section('Assets', make('p', { class: 'hint' }, 'Money in units of the currency; exposure counts the asset\'s own rows.'), table([
      { title: 'Asset', of: 'symbol' }, { title: 'Trades', of: 'trades' },
      { title: 'Profit', of: 'profit', show: money('profit') }, { title: 'Commissions', of: 'commissions', show: plain('commissions') },
      { title: 'Charges', of: 'charges', show: plain('charges') }, { title: 'Win rate %', of: 'win_rate_pct', show: plain('win_rate_pct') },
      { title: 'Mean trade %', of: 'expectancy_pct', show: money('expectancy_pct') }, { title: 'Best %', of: 'trade_best_pct', show: plain('trade_best_pct') },
      { title: 'Worst %', of: 'trade_worst_pct', show: plain('trade_worst_pct') }, { title: 'Exposure %', of: 'exposure_pct', show: plain('exposure_pct') },
      { title: 'Buy and hold %', of: 'buy_and_hold_pct', show: money('buy_and_hold_pct') },
    ], data.by_asset));
  }
  if (data.drawdowns.length) {
    const rows = data.drawdowns.map(([peak, trough, recovery, depth, days]) => ({ peak, trough, recovery, depth, days }));
    section('Deepest drawdowns', table([
      { title: 'Peak', of: 'peak' }, { title: 'Lowest', of: 'trough' }, { title: 'Recovered', of: 'recovery' },
      { title: 'Depth %', of: 'depth', show: (row) => number(row.depth) }, { title: 'Days', of: 'days', show: (row) => number(row.days, 0) },
    ], rows));
  }
  const more = data.trades_total > data.trades.length ? `The first ${data.trades.length} of ${data.trades_total}. ` : '';
  section('Trades', make('p', { class: 'hint' }, more + 'A click on a heading sorts.'), table([
    { title: '#', of: 'number' }, ...(several ? [{ title: 'Asset', of: 'symbol' }] : []), { title: 'Entry', of: 'entry' }, { title: 'Exit', of: 'exit' },
    { title: 'Size', of: 'size' }, { title: 'In at', of: 'entry_price', show: (t) => number(t.entry_price, 4) },
    { title: 'Out at', of: 'exit_price', show: (t) => number(t.exit_price, 4) },
    { title: 'Profit', of: 'profit', show: (t) => signed(t.profit, number(t.profit)) },
    { title: 'Return %', of: 'return_pct', show: (t) => signed(t.return_pct, number(t.return_pct)) },
    { title: 'Bars', of: 'bars' }, { title: 'MAE %', of: 'mae_pct', show: (t) => number(t.mae_pct) },
    { title: 'MFE %', of: 'mfe_pct', show: (t) => number(t.mfe_pct) }, { title: 'Tag', of: 'tag' },
  ], data.trades, true));
  if (data.notes.length) section('Remarks', make('ul', { class: 'notes' }, ...data.notes.map((note) => make('li', {}, note))));

  // Any two parameters against each other: each cell is the best run that has both values.
  function heatMap({ parameters, switches, figures, rows, total }) {
    if (!parameters.length) return;
    const varied = parameters.map((name, at) => [name, at]).filter(([, at]) => new Set(rows.map((row) => row[at])).size > 1);
    if (!varied.length) return;
    const choose = (options, chosen) => {
      const select = make('select', {}, ...options.map(([name, at]) => make('option', { value: String(at) }, name)));
      select.value = String(chosen);
      return select;
    };
    const one = varied[0][1], other = (varied[1] || varied[0])[1];
    const across = choose(varied, other), up = choose(varied, one);
    const what = choose(figures.map((name, at) => [name, at]), 0);
    const canvas = make('canvas', { class: 'map', role: 'img', 'aria-label': 'heat map' }), read = make('p', { class: 'hint' });
    const shownAs = (at, value) => switches.includes(at) ? String(value !== 0) : String(value);
    const low = make('span'), high = make('span');
    const colours = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
    const scale = make('div', { class: 'scale', style: `background:linear-gradient(90deg,${colours.map((c) => `rgb(${c})`).join()})` });
    const shown = rows.length < total ? ` The best ${number(rows.length, 0)} of ${number(total, 0)} runs.` : '';
    section('Parameters', make('p', { class: 'hint' }, 'Each cell is the best run with these two values.' + shown),
      make('div', { class: 'pick' }, make('label', {}, 'Across ', across), make('label', {}, 'Up ', up), make('label', {}, 'Shown ', what)),
      canvas, scale, make('div', { class: 'ends' }, low, high), read);
    let grid = null;
    const build = () => {
      const x = Number(across.value), y = Number(up.value), z = parameters.length + Number(what.value), score = parameters.length;
      const list = (at) => [...new Set(rows.map((row) => row[at]))].sort((a, b) => a - b);
      const xs = list(x), ys = list(y), cells = new Map();
      for (const row of rows) {
        const key = xs.indexOf(row[x]) + ys.indexOf(row[y]) * xs.length, held = cells.get(key);
        if (!held || (row[score] ?? -Infinity) > (held[score] ?? -Infinity)) cells.set(key, row);
      }
      const values = [...cells.values()].map((row) => row[z]).filter((value) => value != null);
      grid = { x, y, xs, ys, z, cells, min: Math.min(...values), max: Math.max(...values) };
      low.textContent = number(grid.min);
      high.textContent = number(grid.max);
      paint();
      read.textContent = 'Point at a cell to read it.';
    };
    const tint = (share) => {
      const at = Math.min(Math.max(share, 0), 1) * (colours.length - 1), from = Math.min(Math.floor(at), colours.length - 2);
      return `rgb(${colours[from].map((c, i) => Math.round(c + (colours[from + 1][i] - c) * (at - from)))})`;
    };
    // Room for the labels of the axes, in pixels of the page.
    const left = 52, under = 20;
    const paint = () => {
      const { x, y, xs, ys, z, cells, min, max } = grid, ratio = devicePixelRatio || 1;
      const width = canvas.clientWidth, height = under + Math.round(Math.min(width * .55, Math.max(ys.length * 14, 80)));
      canvas.style.height = height + 'px';
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      const paper = canvas.getContext('2d');
      paper.scale(ratio, ratio);
      const w = (width - left) / xs.length, h = (height - under) / ys.length;
      for (const [key, row] of cells) {
        if (row[z] == null) continue;
        const column = key % xs.length, line = ys.length - 1 - Math.floor(key / xs.length);
        paper.fillStyle = tint(max > min ? (row[z] - min) / (max - min) : .5);
        paper.fillRect(left + column * w, line * h, w + .5, h + .5);
      }
      paper.fillStyle = colour('--soft');
      paper.font = '12px system-ui';
      paper.textBaseline = 'middle';
      const every = (count, room) => Math.max(1, Math.ceil(count / Math.max(1, Math.floor(room))));
      paper.textAlign = 'right';
      for (let at = 0; at < ys.length; at += every(ys.length, (height - under) / 18)) {
        paper.fillText(shownAs(y, ys[at]), left - 6, (ys.length - 1 - at + .5) * h);
      }
      paper.textAlign = 'center';
      for (let at = 0; at < xs.length; at += every(xs.length, (width - left) / 48)) {
        paper.fillText(shownAs(x, xs[at]), left + (at + .5) * w, height - under / 2);
      }
    };
    const point = (event) => {
      const box = canvas.getBoundingClientRect(), { xs, ys, cells } = grid;
      const column = Math.floor((event.clientX - box.left - left) / (box.width - left) * xs.length);
      const line = ys.length - 1 - Math.floor((event.clientY - box.top) / (box.height - under) * ys.length);
      const row = column < 0 || line < 0 ? null : cells.get(column + line * xs.length);
      read.textContent = !row ? 'No run has these values.' : [...parameters.map((name, at) => `${name} ${shownAs(at, row[at])}`),
        ...figures.map((name, at) => `${name} ${number(row[parameters.length + at])}`)].join(', ');
    };
    canvas.addEventListener('pointermove', point);
    canvas.addEventListener('pointerdown', point);
    for (const select of [across, up, what]) select.addEventListener('change', build);
    window.addEventListener('resize', () => grid && paint());
    build();
  }
})();

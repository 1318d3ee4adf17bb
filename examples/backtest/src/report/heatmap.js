// Shows the figures of the cell under the pointer. Without script the page only lacks this line.
(() => {
  const map = document.querySelector('.heat'), readout = document.querySelector('.readout');
  if (!map || !readout) return;
  const data = JSON.parse(document.getElementById('cells').textContent);
  const columns = data.slow.length, rows = data.fast.length, resting = readout.textContent;
  const cursor = map.querySelector('.cursor');
  const show = (event) => {
    const box = map.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * columns);
    const y = rows - 1 - Math.floor((event.clientY - box.top) / box.height * rows);
    if (x < 0 || y < 0 || x >= columns || y >= rows) return hide();
    const at = y * columns + x, figures = data.values.map((layer, i) => data.names[i] + ' ' + layer[at] + data.units[i]);
    const [fast, slow] = data.pairs?.[at] ?? [data.fast[y], data.slow[x]];
    const text = 'fast ' + fast + ', slow ' + slow + ': ' + figures.join(', ');
    readout.textContent = text;
    map.title = text;
    cursor.setAttribute('x', x);
    cursor.setAttribute('y', rows - 1 - y);
    cursor.style.visibility = 'visible';
  };
  const hide = () => { readout.textContent = resting; cursor.style.visibility = 'hidden'; };
  map.addEventListener('pointermove', show);
  map.addEventListener('pointerdown', show);
  map.addEventListener('pointerleave', hide);
})();

//! The grid of a sweep as a heat map.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::scale::{colour, gradient, number, tick_label, ticks};
use crate::config::Pair;
use crate::ledger::Statistics;
use crate::results::Row;

/// Most cells along one side; a larger grid is shown by the best pair of each patch.
const SIDE_CELLS_MAX: usize = 160;

/// Colours that are told apart. More would only make the page larger.
const COLOURS: usize = 48;

struct Layer {
    title: &'static str,
    /// In the line under the pointer.
    short: &'static str,
    unit: &'static str,
    decimals: usize,
    value: fn(&Statistics) -> f64,
}

const LAYERS: [Layer; 3] = [
    Layer { title: "Return", short: "return", unit: " %", decimals: 1, value: |row| row.return_pct },
    Layer {
        title: "Sharpe ratio",
        short: "Sharpe",
        unit: "",
        decimals: 3,
        value: |row| row.sharpe_simple_daily252,
    },
    Layer {
        title: "Max. drawdown",
        short: "drawdown",
        unit: " %",
        decimals: 1,
        value: |row| row.max_drawdown_pct,
    },
];

/// The grid, thinned to what a page can show: rows of ascending fast windows, columns of ascending slow ones.
struct Grid {
    fast: Vec<u32>,
    slow: Vec<u32>,
    /// The best row of each cell, with its pair; `None` where the sweep was stopped early.
    cells: Vec<Option<Row>>,
    best: (usize, usize),
    /// Fast windows and slow ones that a cell stands for.
    patch: (usize, usize),
}

impl Grid {
    fn new(rows: &[Row], better: fn(&Statistics, &Statistics) -> bool) -> Self {
        let axis = |of: fn(&Pair) -> u32| {
            let mut values: Vec<u32> = rows.iter().map(|(pair, _)| of(pair)).collect();
            values.sort_unstable();
            values.dedup();
            values
        };
        let (all_fast, all_slow) = (axis(|pair| pair.fast), axis(|pair| pair.slow));
        let patch = |values: &[u32]| values.len().div_ceil(SIDE_CELLS_MAX).max(1);
        let (rows_per_cell, columns_per_cell) = (patch(&all_fast), patch(&all_slow));
        let thin = |values: &[u32], step: usize| values.iter().copied().step_by(step).collect::<Vec<_>>();
        let (fast, slow) = (thin(&all_fast, rows_per_cell), thin(&all_slow, columns_per_cell));
        let mut cells: Vec<Option<Row>> = vec![None; fast.len() * slow.len()];
        let mut best = (0, 0);
        let mut best_row: Option<Statistics> = None;
        for (pair, row) in rows {
            // Both lie in the lists they were collected from.
            let y = all_fast.binary_search(&pair.fast).unwrap_or(0) / rows_per_cell;
            let x = all_slow.binary_search(&pair.slow).unwrap_or(0) / columns_per_cell;
            let cell = &mut cells[y * slow.len() + x];
            if cell.is_none_or(|(_, held)| better(row, &held)) {
                *cell = Some((*pair, *row));
            }
            if best_row.is_none_or(|held| better(row, &held)) {
                (best_row, best) = (Some(*row), (x, y));
            }
        }
        Self { fast, slow, cells, best, patch: (rows_per_cell, columns_per_cell) }
    }

    fn is_thinned(&self) -> bool {
        self.patch != (1, 1)
    }

    /// What a cell is, in a sentence.
    fn caption(&self) -> String {
        let (fast, slow) = self.patch;
        let mark = "the frame marks the best.";
        match self.is_thinned() {
            true => format!(
                "Each cell is the best of up to {fast} × {slow} pairs, which stand close together; {mark}"
            ),
            false => format!("Each cell is one run; {mark}"),
        }
    }
}

/// The heat map with a sentence on its cells, its legend, a switch between figures, and the data for the line
/// under the pointer.
pub(super) fn render(rows: &[Row], better: fn(&Statistics, &Statistics) -> bool, resting: &str) -> String {
    let grid = Grid::new(rows, better);
    let (width, height) = (grid.slow.len(), grid.fast.len());
    let mut html = format!(
        "<p class=\"soft\">{}</p><div class=\"maps\"><div class=\"tabs\" role=\"radiogroup\" aria-label=\"Figure\">",
        grid.caption()
    );
    for (at, layer) in LAYERS.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        let _ = write!(
            html,
            "<label><input type=\"radio\" name=\"map\" id=\"m{at}\"{checked}>{}</label>",
            layer.title
        );
    }
    let ratio = (width as f64 / height as f64 * 1.9).clamp(1.2, 4.0);
    let _ = write!(
        html,
        "</div><p class=\"readout\" aria-live=\"polite\">{resting}</p><div class=\"plot heat\" style=\"--ratio:{ratio:.2}\">\
         <svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" role=\"img\" \
         aria-label=\"Heat map of the grid\">"
    );
    let ranges: Vec<(f64, f64)> = LAYERS.iter().map(|layer| range(&grid, layer)).collect();
    for (at, layer) in LAYERS.iter().enumerate() {
        let _ = write!(html, "<g class=\"layer l{at}\">{}</g>", cells(&grid, layer, ranges[at]));
    }
    let (x, y) = (grid.best.0, height - 1 - grid.best.1);
    let mark = format!("x=\"{}\" y=\"{}\" width=\"2\" height=\"2\"", x as f64 - 0.5, y as f64 - 0.5);
    let _ = write!(
        html,
        "<rect class=\"mark-under\" {mark}/><rect class=\"mark\" {mark}/>\
         <rect class=\"cursor\" x=\"0\" y=\"0\" width=\"1\" height=\"1\"/></svg>{}</div>",
        axes(&grid)
    );
    for (at, layer) in LAYERS.iter().enumerate() {
        let _ = write!(html, "<div class=\"layer l{at}\">{}</div>", legend(layer, ranges[at]));
    }
    let _ = write!(html, "</div><script type=\"application/json\" id=\"cells\">{}</script>", data(&grid));
    let _ = write!(html, "<script>{}</script>", include_str!("heatmap.js"));
    html
}

/// The figure of a cell, if there is one.
fn shown(cell: Option<&Row>, layer: &Layer) -> Option<f64> {
    cell.map(|(_, row)| (layer.value)(row)).filter(|value| value.is_finite())
}

/// The values that the scale runs between: the 1st and 99th percentile, so that one outlier does not grey out
/// the rest.
fn range(grid: &Grid, layer: &Layer) -> (f64, f64) {
    let mut values: Vec<f64> = grid.cells.iter().filter_map(|cell| shown(cell.as_ref(), layer)).collect();
    if values.is_empty() {
        return (0.0, 1.0);
    }
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    let (low, high) = (at(0.01), at(0.99));
    if low < high { (low, high) } else { (low - 0.5, low + 0.5) }
}

/// One path per colour; each run of equal cells in a row is one rectangle of it.
fn cells(grid: &Grid, layer: &Layer, (low, high): (f64, f64)) -> String {
    let (width, height) = (grid.slow.len(), grid.fast.len());
    let shade = |x: usize, y: usize| {
        let value = shown(grid.cells[y * width + x].as_ref(), layer)?;
        Some(((value - low) / (high - low) * (COLOURS - 1) as f64).round().clamp(0.0, (COLOURS - 1) as f64)
            as usize)
    };
    let mut paths: BTreeMap<usize, String> = BTreeMap::new();
    for y in 0..height {
        let mut x = 0;
        while x < width {
            let from = x;
            let this = shade(x, y);
            while x < width && shade(x, y) == this {
                x += 1;
            }
            if let Some(this) = this {
                let run = x - from;
                let _ = write!(paths.entry(this).or_default(), "M{from} {}h{run}v1h-{run}z", height - 1 - y);
            }
        }
    }
    let mut svg = String::new();
    for (shade, path) in paths {
        let _ = write!(svg, "<path fill=\"{}\" d=\"{path}\"/>", colour(shade as f64 / (COLOURS - 1) as f64));
    }
    svg
}

fn axes(grid: &Grid) -> String {
    let mut html = String::new();
    let labels = |values: &[u32]| {
        let (low, high) = (values.first().copied().unwrap_or(0), values.last().copied().unwrap_or(0));
        let wanted = ticks(f64::from(low), f64::from(high), 10);
        let mut places: Vec<(usize, u32)> = wanted
            .iter()
            .filter_map(|tick| values.binary_search(&(*tick as u32)).ok().map(|at| (at, *tick as u32)))
            .collect();
        if places.is_empty() {
            places = values.iter().copied().enumerate().step_by(values.len().div_ceil(10).max(1)).collect();
        }
        places
    };
    for (order, (at, window)) in labels(&grid.slow).into_iter().enumerate() {
        let left = (at as f64 + 0.5) / grid.slow.len() as f64 * 100.0;
        let class = if order % 2 == 1 { "x minor" } else { "x" };
        let _ = write!(html, "<span class=\"{class}\" style=\"left:{left:.2}%\">{window}</span>");
    }
    for (at, window) in labels(&grid.fast) {
        let top = 100.0 - (at as f64 + 0.5) / grid.fast.len() as f64 * 100.0;
        let _ = write!(html, "<span class=\"y\" style=\"top:{top:.2}%\">{window}</span>");
    }
    html.push_str(
        "<span class=\"title-x\">slow average, bars</span><span class=\"title-y\">fast average, bars</span>",
    );
    html
}

fn legend(layer: &Layer, (low, high): (f64, f64)) -> String {
    let mut html = format!(
        "<div class=\"legend\"><div class=\"bar\" style=\"background:{}\"></div><div class=\"ticks\">",
        gradient()
    );
    let end = |value: f64| format!("{}{}", number(value, layer.decimals), layer.unit);
    let _ = write!(html, "<span style=\"left:0\">≤ {}</span>", end(low));
    let inner = ticks(low, high, 4);
    let step = if inner.len() > 1 { inner[1] - inner[0] } else { 1.0 };
    for tick in inner {
        let left = (tick - low) / (high - low) * 100.0;
        if (18.0..82.0).contains(&left) {
            let _ = write!(
                html,
                "<span style=\"left:{left:.1}%\">{}{}</span>",
                tick_label(tick, step),
                layer.unit
            );
        }
    }
    let _ = write!(html, "<span style=\"left:100%\">≥ {}</span></div></div>", end(high));
    html
}

/// The figures of every cell, as JSON. Nothing in it can end the script element.
fn data(grid: &Grid) -> String {
    let list = |values: &[u32]| values.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut json = format!("{{\"fast\":[{}],\"slow\":[{}],\"names\":[", list(&grid.fast), list(&grid.slow));
    let quoted = |of: fn(&Layer) -> &'static str| {
        LAYERS.iter().map(|layer| format!("\"{}\"", of(layer))).collect::<Vec<_>>().join(",")
    };
    let _ = write!(json, "{}],\"units\":[{}],\"values\":[", quoted(|l| l.short), quoted(|l| l.unit));
    for (at, layer) in LAYERS.iter().enumerate() {
        json.push_str(if at == 0 { "[" } else { ",[" });
        for (at, cell) in grid.cells.iter().enumerate() {
            if at != 0 {
                json.push(',');
            }
            match shown(cell.as_ref(), layer) {
                Some(value) => {
                    let _ = write!(json, "{value:.*}", layer.decimals);
                }
                None => json.push_str("\"–\""),
            }
        }
        json.push(']');
    }
    json.push(']');
    // Where a cell stands for several pairs, its figures are those of one of them.
    if grid.is_thinned() {
        let pair = |cell: &Option<Row>| match cell {
            Some((pair, _)) => format!("[{},{}]", pair.fast, pair.slow),
            None => "null".to_owned(),
        };
        let pairs: Vec<String> = grid.cells.iter().map(pair).collect();
        let _ = write!(json, ",\"pairs\":[{}]", pairs.join(","));
    }
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Statistics = Statistics {
        equity_final: 0.0,
        return_pct: 0.0,
        n_trades: 0,
        max_drawdown_pct: 0.0,
        sharpe_simple_daily252: 0.0,
        sharpe_daily252: 0.0,
        cagr_pct: 0.0,
        exposure_pct: 0.0,
    };

    fn render_of(side: u32) -> (String, serde_json::Value) {
        let pairs = (1..=side).flat_map(|fast| (1..=side).map(move |slow| Pair { fast, slow }));
        // The later in its patch, the better.
        let of = |pair: Pair| f64::from(pair.fast * 1_000 + pair.slow);
        let rows: Vec<(Pair, Statistics)> =
            pairs.map(|pair| (pair, Statistics { return_pct: of(pair), ..NOTHING })).collect();
        let html = render(&rows, |a, b| a.return_pct > b.return_pct, "");
        let json = html.split_once("id=\"cells\">").expect("the cells").1;
        let json = json.split_once("</script>").expect("its end").0;
        let data = serde_json::from_str(json).expect("JSON");
        (html, data)
    }

    #[test]
    fn a_cell_that_stands_for_several_pairs_names_the_one_whose_figures_it_has() {
        let (html, data) = render_of(2 * SIDE_CELLS_MAX as u32);
        let returns = data["values"][0].as_array().expect("figures");
        let pairs = data["pairs"].as_array().expect("the pair of each cell");
        assert_eq!((returns.len(), pairs.len()), (SIDE_CELLS_MAX.pow(2), SIDE_CELLS_MAX.pow(2)));
        for (value, pair) in returns.iter().zip(pairs) {
            let number = |at: usize| pair[at].as_f64().expect("a number");
            assert_eq!(value.as_f64(), Some(number(0) * 1_000.0 + number(1)));
        }
        assert!(html.contains("the best of up to 2 × 2 pairs"));
        // Of a grid that is shown whole the axes say it.
        let (html, data) = render_of(20);
        assert!(data["pairs"].is_null() && html.contains("Each cell is one run"));
    }
}

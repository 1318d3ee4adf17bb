//! Is it the choice of the moment? The times in the market of a run, put where chance wants them.

use crate::chance::Random;
use crate::strategy::{Size, Strategy, StrategyContext, Trade};

/// A time in the market: from an entry up to the exit of all that was entered meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// Number of the bar of its entry.
    pub entry_bar: u32,
    /// Bars held, at least 1.
    pub bars: u32,
    /// Mean share of the equity that was held, from the values at the entries; negative when short.
    pub share: f64,
}

/// The times in the market of trades of one asset. `equity` has that at each bar, and `cash` is that before
/// the first.
#[must_use]
pub fn spells(trades: &[Trade], equity: &[f64], cash: f64) -> Vec<Spell> {
    let mut trades: Vec<&Trade> = trades.iter().collect();
    trades.sort_by_key(|trade| (trade.entry_bar, trade.exit_bar));
    let mut spells: Vec<Spell> = Vec::new();
    for trade in trades {
        let before = (trade.entry_bar as usize).checked_sub(1).and_then(|at| equity.get(at));
        let before = before.copied().unwrap_or(cash);
        let share = if before > 0.0 { trade.size * trade.entry_price / before } else { 0.0 };
        let bars = trade.bars.max(1);
        // The sum over the bars, until all of the spell is known.
        let sum = share * f64::from(bars);
        match spells.last_mut() {
            Some(spell) if trade.entry_bar < spell.entry_bar + spell.bars => {
                spell.bars = spell.bars.max(trade.entry_bar + bars - spell.entry_bar);
                spell.share += sum;
            }
            _ => spells.push(Spell { entry_bar: trade.entry_bar, bars, share: sum }),
        }
    }
    for spell in &mut spells {
        spell.share /= f64::from(spell.bars);
    }
    spells
}

/// The same spells in a random sequence at random bars, each arrangement in which none overlaps as likely as
/// the others: path `path` of those that follow from `seed`. `bars` is how many there are; nothing can be
/// entered in the first.
#[must_use]
pub fn scattered(spells: &[Spell], bars: u32, seed: u64, path: u64) -> Vec<Spell> {
    let held: u64 = spells.iter().map(|spell| u64::from(spell.bars)).sum();
    let free = u64::from(bars.saturating_sub(1)).saturating_sub(held);
    let mut places: Vec<Option<Spell>> = spells.iter().copied().map(Some).collect();
    places.extend((0..free).map(|_| None));
    Random::of_path(seed, path).shuffle(&mut places);
    let mut bar = 1_u32;
    let mut found = Vec::with_capacity(spells.len());
    for place in places {
        let length = place.map_or(1, |spell| spell.bars);
        found.extend(place.map(|spell| Spell { entry_bar: bar, ..spell }));
        bar = bar.saturating_add(length);
    }
    found
}

/// Enters and leaves at the opens of given bars, whatever the prices are.
#[derive(Clone, Debug)]
pub struct Entries {
    spells: std::vec::IntoIter<Spell>,
    next: Option<Spell>,
    /// The bar at whose open the position is to be closed.
    exit_bar: Option<u32>,
}

impl Entries {
    /// Trades these spells, in the sequence of their bars.
    #[must_use]
    pub fn new(spells: Vec<Spell>) -> Self {
        let mut spells = spells.into_iter();
        let next = spells.next();
        Self { spells, next, exit_bar: None }
    }
}

impl Strategy for Entries {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let bar = ctx.bar().index + 1;
        let leaves = self.exit_bar.take_if(|exit_bar| *exit_bar <= bar).is_some();
        match self.next.take_if(|spell| spell.entry_bar <= bar) {
            Some(spell) => {
                if leaves {
                    // Its costs are those of a trade of its own.
                    ctx.close();
                }
                ctx.target(Size::Equity(spell.share));
                self.exit_bar = Some(spell.entry_bar + spell.bars);
                self.next = self.spells.next();
            }
            None if leaves => _ = ctx.close(),
            None => {}
        }
    }
}

/// The probability that chance does as well, from the figures of paths that chance has made: the share of
/// those that are not below, with the run itself counted among them.
#[must_use]
pub fn p_value(run: f64, paths: impl IntoIterator<Item = f64>) -> f64 {
    let (mut count, mut as_good) = (1_u64, 1_u64);
    for path in paths {
        count += 1;
        as_good += u64::from(path >= run);
    }
    as_good as f64 / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(entry_bar: u32, bars: u32, share: f64) -> Spell {
        Spell { entry_bar, bars, share }
    }

    #[test]
    fn scattered_spells_never_overlap_and_keep_their_lengths() {
        let spells = [spell(1, 3, 1.0), spell(9, 5, -0.5), spell(20, 1, 0.25)];
        for path in 0..500 {
            let placed = scattered(&spells, 15, 7, path);
            assert_eq!(placed, scattered(&spells, 15, 7, path));
            let mut kinds: Vec<(u32, f64)> = placed.iter().map(|spell| (spell.bars, spell.share)).collect();
            kinds.sort_by_key(|kind| kind.0);
            assert_eq!(kinds, [(1, 0.25), (3, 1.0), (5, -0.5)]);
            assert!(placed.windows(2).all(|pair| pair[0].entry_bar + pair[0].bars <= pair[1].entry_bar));
            assert!(placed[0].entry_bar >= 1 && placed[2].entry_bar + placed[2].bars <= 15);
        }
        // As many bars as are held: there is no room to choose, but for the sequence.
        assert_eq!(scattered(&spells[..1], 4, 1, 1), [spell(1, 3, 1.0)]);
        assert!(scattered(&[], 9, 1, 1).is_empty());
    }

    #[test]
    fn each_arrangement_is_as_likely_as_the_others() {
        let mut counts = [0_u32; 10];
        for path in 0..20_000 {
            counts[scattered(&[spell(0, 2, 1.0)], 11, 3, path)[0].entry_bar as usize] += 1;
        }
        // Nine places, from bar 1 on: 2,222 each, and 45 is one standard deviation.
        assert!(counts[0] == 0 && counts[1..].iter().all(|count| count.abs_diff(2_222) < 225), "{counts:?}");
    }

    #[test]
    fn the_run_counts_among_its_paths() {
        assert_eq!(p_value(5.0, [1.0, 2.0, 3.0]), 0.25);
        assert_eq!(p_value(2.0, [1.0, 2.0, 3.0]), 0.75);
        assert_eq!(p_value(2.0, []), 1.0);
    }
}

//! Every bound of this example, with its unit.

/// Most bars, quotes or ticks of one symbol. A tick takes 32 bytes of a file, a quote 48 and a bar 64.
pub const BARS_MAX: usize = EVENTS_MAX;

/// Most bytes of one series or curve that are kept in memory. A longer one is in a file, of which memory has
/// what is used.
pub const MEMORY_BYTES_MAX: usize = 8 << 20;

/// Longest row of a file of text, in bytes, with the comments and blank lines before it.
pub const ROW_BYTES_MAX: usize = 16 << 20;

/// Largest part of a sweep, in bytes. It is held in memory while it is read.
pub const FILE_BYTES_MAX: u64 = 4 << 30;

/// Longest moving average, in bars.
pub const WINDOW_BARS_MAX: u32 = 1_000_000;

/// Most parameter pairs of one sweep.
pub const PAIRS_MAX: usize = 10_000_000;

/// Most paths of one Monte Carlo run.
pub const PATHS_MAX: u32 = 10_000_000;

/// Most orders that wait for the next bar: close one position and open another.
pub const ORDERS_MAX: usize = 2;

/// Largest initial cash, in units of the currency. Products of two equities then stay far inside the range of
/// `f64`.
pub const CASH_MAX: f64 = 1e15;

/// Largest price of a resampled path, in ticks: sums and products of it stay inside their integers.
pub const TICKS_PATH_MAX: i64 = 1 << 60;

/// Most orders of one account that wait for their price at once; one more is rejected, and says so.
pub const ORDERS_WORKING_MAX: usize = 1_000;

/// Most steps of the file of `--margin-tiers`.
pub const MARGIN_TIERS_MAX: usize = 1_000;

/// Most bytes of the file of a calendar.
pub const CALENDAR_BYTES_MAX: u64 = 1 << 20;

/// Most days of a calendar that are otherwise than its days of the week.
pub const CALENDAR_DAYS_MAX: usize = 100_000;

/// Most lots of one order: 2^53, up to which every whole number has an exact `f64`.
pub const LOTS_MAX: f64 = 9_007_199_254_740_992.0;

/// Bars that a trader remembers of a source that is no history in memory, and quotes, ticks and books of one
/// that come as messages. Between one and two times as many are kept: of books, which take 352 bytes, up to
/// 7 MB for each asset.
pub const LOOKBACK_BARS: usize = 10_000;

/// Most events that a trader on a bus keeps for an exchange that has not answered, and it fails at the next
/// one: some seconds of a busy feed, and more than the assets of one moment. Books, the largest, come to
/// 30 MB. The capacity of the venue's subscriptions has to be below it.
pub const EVENTS_WAITING_MAX: usize = 1 << 16;

/// Most points of one search over parameters.
pub const POINTS_MAX: usize = 10_000_000;

/// How many points are drawn for each random sample that a constraint allows, at most.
pub const POINT_DRAWS_MAX: usize = 1_000;

/// Most parts of a search that is spread over machines.
pub const SHARDS_MAX: usize = 100_000;

/// Most assets of one account. A fill looks at all of them.
pub const ASSETS_MAX: usize = 10_000;

const _: () = assert!(EVENTS_WAITING_MAX > 2 * ASSETS_MAX);

/// Most bars, quotes, ticks and books of one tape. Merged, each takes eight bytes beside its own.
pub const EVENTS_MAX: usize = 1 << 31;

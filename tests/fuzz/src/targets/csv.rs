//! Anything that calls itself prices in CSV.

use backtest::data::ReadOptions;
use backtest::tape::Prices;

use crate::{Target, file};

pub(crate) const TARGET: Target = Target {
    name: "csv",
    reads: "prices in CSV",
    run,
    seeds,
    words: &[
        b",",
        b";",
        b"\t",
        b"|",
        b"\"",
        b"\n",
        b"\r\n",
        b"\r",
        b"#",
        b"Ticker",
        b"Symbol",
        b"Date",
        b"Bid",
        b"Ask",
        b"Price",
        b"Size",
        b"nan",
        b"inf",
        b"1e400",
        b"-1",
        b"0",
        b"2024-02-30",
        b"2024-01-31T09:30:00Z",
        b"20240131",
        b"1700000000000",
        b"\xff",
        b"\xef\xbb\xbf",
    ],
};

fn run(bytes: &[u8]) -> bool {
    let drop = ReadOptions { drop_bad_rows: true, ..ReadOptions::default() };
    for options in [ReadOptions::default(), drop] {
        if let Ok((asset, _)) = backtest::data::read_prices(bytes, &options, "t") {
            check(&asset.prices);
        }
    }
    match backtest::data::read(bytes, None, "t") {
        Ok(series) => {
            assert!(!series.bars.is_empty());
            assert!(
                series.bars.is_sorted_by(|a, b| a.timestamp < b.timestamp),
                "each bar after the one before"
            );
            for bar in &series.bars {
                let prices = [bar.open, bar.high, bar.low, bar.close];
                assert!(prices.iter().all(|price| price.is_finite() && *price > 0.0), "{bar:?}");
            }
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.chars().count() < 3_000, "a long error: {text}");
            false
        }
    }
}

/// Quotes and ticks that nobody could trade on do not come through.
fn check(prices: &Prices) {
    let price = |price: f64| assert!(price.is_finite() && price > 0.0, "the price {price}");
    let size = |size: f64| assert!(size.is_finite() && size >= 0.0, "the size {size}");
    assert!(!prices.is_empty());
    match prices {
        Prices::Bars(_) => {}
        Prices::Quotes(quotes) => {
            assert!(quotes.is_sorted_by_key(|quote| quote.timestamp), "in order of time");
            for quote in quotes.iter() {
                assert!(quote.bid <= quote.ask, "{quote:?}");
                [quote.bid, quote.ask].into_iter().for_each(price);
                [quote.bid_size, quote.ask_size].into_iter().for_each(size);
            }
        }
        Prices::Ticks(ticks) => {
            assert!(ticks.is_sorted_by_key(|tick| tick.timestamp), "in order of time");
            for tick in ticks.iter() {
                price(tick.price);
                size(tick.size);
            }
        }
        Prices::Depth(books) => {
            assert!(books.is_sorted_by_key(|book| book.timestamp), "in order of time");
            for book in books.iter() {
                let levels = || book.bids().iter().chain(book.asks());
                levels().for_each(|level| price(level.price));
                levels().for_each(|level| size(level.size));
                assert!(book.bid().price < book.ask().price, "{book:?}");
                assert!(book.bids().is_sorted_by(|a, b| a.price > b.price), "{book:?}");
                assert!(book.asks().is_sorted_by(|a, b| a.price < b.price), "{book:?}");
            }
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let stocks = file("examples/backtest/data/stocks.csv");
    let head: Vec<u8> = stocks.split_inclusive(|byte| *byte == b'\n').take(20).flatten().copied().collect();
    // Thirty names of control characters, which are shown escaped.
    let controls = [b"\x01".repeat(80).as_slice(), b"\n1\n"].concat();
    let controls = [[b"\x01".repeat(80).as_slice(), b","].concat().repeat(40), controls].concat();
    // Brackets around a name do not count, so a name may be of any length.
    let brackets =
        [b"Date,".as_slice(), &b"<".repeat(4_000), b"Open,High,Low,Close\n2024-01-31,x,2,1,1.5\n"].concat();
    vec![
        controls,
        brackets,
        head,
        b"time,bid_price_1,bid_size_1,ask_price_1,ask_size_1,bid_price_2,bid_size_2,trade_price,trade_size\n1700000000,9,1,10,2,8,3,,\n1700000001,,,,,,,9,1\n"
            .to_vec(),
        b"open_time|open|high|low|close\n# a comment\n1700000000000|1|2|0.5|1.5\n1700003600000|1.5|2|1|1.8\n"
            .to_vec(),
        b"Date,Open,High,Low,Close,Dividends,Stock Splits,Adj Close\n2024-01-02,9,9,9,9,0,0,4\n2024-01-03,4.5,5,4,4.5,0.1,2,4\n"
            .to_vec(),
        b"timestamp,bid,ask,bid_size,ask_size\n1700000000000,1,2,3,4\n1700000000000,1.5,1.5,,0\n".to_vec(),
        b"time,price,qty\n1700000000000,1,2\n1699999999999,3,-1\n1700000001000,2,\n".to_vec(),
        b"\"Date\";\"Time\";\"Open\";\"High\";\"Low\";\"Close\"\r\n2024-01-31;09:30;1.5;2;1;2\r\n".to_vec(),
    ]
}

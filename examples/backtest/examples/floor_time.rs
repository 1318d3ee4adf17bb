use std::time::Instant;
fn main() {
    let f = std::env::args().nth(1).unwrap();
    let sym = std::env::args().nth(2);
    let s = backtest::data::load(std::path::Path::new(&f), sym.as_deref()).unwrap();
    let t = backtest::config::Terms { commission: 0.002, ..Default::default() };
    for _ in 0..3 {
        let a = Instant::now();
        let mut x = 0.0;
        let mut n = 0;
        for fast in 5..=104u32 {
            for slow in 110..=209u32 {
                x += backtest::floor::run(&s.bars, backtest::config::Pair { fast, slow }, &t).equity_final;
                n += 1;
            }
        }
        let e = a.elapsed().as_secs_f64();
        println!(
            "{x} {:.4} s/1000, {:.2} ns/bar",
            e / n as f64 * 1000.0,
            e * 1e9 / n as f64 / s.bars.len() as f64
        );
    }
}

fn main() {
    let f = std::env::args().nth(1).unwrap();
    let sym = std::env::args().nth(2);
    let s = backtest::data::load(std::path::Path::new(&f), sym.as_deref()).unwrap();
    let t = backtest::config::Terms { commission: 0.002, ..Default::default() };
    for _ in 0..3 {
        let a = cpu();
        let mut x = 0.0;
        let mut n = 0;
        for fast in 5..=104u32 {
            for slow in 110..=209u32 {
                x += backtest::floor::run(&s.bars, backtest::config::Pair { fast, slow }, &t).equity_final;
                n += 1;
            }
        }
        let e = cpu() - a;
        println!(
            "{x} {:.4} s/1000, {:.2} ns/bar",
            e / n as f64 * 1000.0,
            e * 1e9 / n as f64 / s.bars.len() as f64
        );
    }
    let bars: std::sync::Arc<[_]> = s.bars.clone().into();
    for _ in 0..3 {
        let a = cpu();
        let mut x = 0.0;
        let mut n = 0;
        for fast in 5..=104u32 {
            for slow in 110..=209u32 {
                x += backtest::instance::run(
                    backtest::source::History::new(bars.clone()),
                    backtest::config::Pair { fast, slow },
                    &t,
                )
                .unwrap()
                .statistics
                .equity_final;
                n += 1;
            }
        }
        let e = cpu() - a;
        println!(
            "ACTORS {x} {:.4} s/1000, {:.2} ns/bar",
            e / n as f64 * 1000.0,
            e * 1e9 / n as f64 / s.bars.len() as f64
        );
    }
}
fn cpu()->f64{let t=rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime); t.tv_sec as f64+t.tv_nsec as f64*1e-9}

//! smoke
use std::time::{Duration, Instant};
use tasca_core::*;
fn main() {
    let rt = Runtime::builder().worker_threads(2).build().unwrap();
    println!("block_on {}", rt.block_on(async { 1 + 1 }));
    let t = rt.handle().spawn(async {
        yield_now().await;
        5
    });
    println!("join {}", rt.block_on(t));
    for n in [1, 2] {
        let rt = Runtime::builder().worker_threads(n).build().unwrap();
        let main = rt.handle().spawn(async {
            let n = 1_000_000;
            let t = Instant::now();
            for i in 0..n {
                assert_eq!(spawn(async move { i }).await, i);
            }
            println!("spawn+join {:?}", t.elapsed() / n);
            let t = Instant::now();
            for _ in 0..10_000 {
                let v: Vec<_> = (0..100).map(|i| spawn(async move { i })).collect();
                for (i, h) in v.into_iter().enumerate() {
                    assert_eq!(h.await, i);
                }
            }
            println!("spawn 100 + join, per task {:?}", t.elapsed() / n);
            let t = Instant::now();
            let v: Vec<_> = (0..100)
                .map(|_| {
                    spawn(async {
                        for _ in 0..10_000 {
                            yield_now().await
                        }
                    })
                })
                .collect();
            for h in v {
                h.await
            }
            println!("yield {:?}", t.elapsed() / n);
            let t = Instant::now();
            for _ in 0..200 {
                time::sleep(Duration::from_micros(100)).await;
            }
            println!("sleep 100us: {:?}", t.elapsed() / 200);
        });
        rt.block_on(main);
    }
    let t = Instant::now();
    println!(
        "run {:?} in {:?}",
        run(async { spawn(async { 7 }).await }),
        t.elapsed()
    );
    let rt = Runtime::builder().deterministic(0).build().unwrap();
    let t = Instant::now();
    rt.block_on(async {
        time::sleep(Duration::from_secs(1000)).await;
    });
    println!("virtual {:?}", t.elapsed());
    let rt = Runtime::builder().current_thread().build().unwrap();
    println!(
        "{:?}",
        rt.run_local(async {
            let rc = std::rc::Rc::new(1);
            let t = spawn_local(async move { *rc });
            println!("{:?} {:?}", t, all_tasks());
            t.await
        })
    );
}

//! scratch
use std::time::{Duration, Instant};
use tasca_blocking::*;
use tasca_core::*;
fn main() {
    let rt = Runtime::builder().worker_threads(2).build().unwrap();
    let main = rt.handle().spawn(async {
        for _ in 0..3 {
            let t = Instant::now();
            let n = 2000;
            for i in 0..n { assert_eq!(to_thread(move || i).await, i); }
            println!("round trip to_thread {:?}", t.elapsed() / n);
            let t = Instant::now();
            for i in 0..n { assert_eq!(spawn_blocking(move || i).await, i); }
            println!("round trip spawn_blocking {:?}", t.elapsed() / n);
            let t = Instant::now();
            let n = 100_000;
            let v: Vec<_> = (0..n).map(|i| spawn_blocking(move || i)).collect();
            println!("  submit {:?}", t.elapsed() / n);
            for (i, h) in v.into_iter().enumerate() { assert_eq!(h.await, i as u32); }
            println!("batch spawn_blocking {:?} {:?}", t.elapsed() / n, statistics().cpu);
            let t = Instant::now();
            let v: Vec<_> = (0..n).map(|i| run_in_executor(&DefaultExecutor, move || i)).collect();
            println!("  submit {:?}", t.elapsed() / n);
            for (i, h) in v.into_iter().enumerate() { assert_eq!(h.await, i as u32); }
            println!("batch run_in_executor {:?} {:?}", t.elapsed() / n, statistics().blocking);
        }
        let pool = ThreadPool::new(512);
        let t = Instant::now();
        let v: Vec<_> = (0..100).map(|_| { pool.spawn(move || { let e = t.elapsed(); std::thread::sleep(Duration::from_millis(100)); e })}).collect();
        let mut last = Duration::ZERO;
        for h in v { last = last.max(h.await) }
        println!("100 sleepers all running after {last:?} {:?}", pool.statistics());
        println!("{:?}", all_tasks());
    });
    rt.block_on(main);
    let t = Instant::now();
    drop(rt);
    println!("shutdown {:?}", t.elapsed());
}

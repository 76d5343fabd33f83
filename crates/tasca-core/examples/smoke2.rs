//! smoke2
use std::time::{Duration, Instant};
use std::sync::mpsc;
use tasca_core::*;
fn main() {
    for n in [1usize, 2, 4] {
        let rt = Runtime::builder().worker_threads(n).build().unwrap();
        let h = rt.handle();
        // A wakes B then blocks
        let (tx, rx) = mpsc::channel();
        let t0 = Instant::now();
        let a = h.spawn(async move {
            let (p, t) = promise::<()>();
            let b = spawn(async move { t.await; tx.send(t0.elapsed()).unwrap(); });
            yield_now().await;
            p.set(()).unwrap();
            std::thread::sleep(Duration::from_millis(500));
            b.await
        });
        println!("n={n} B ran after {:?}", rx.recv().unwrap());
        rt.block_on(a);
        let t0 = Instant::now();
        let (tx, rx) = mpsc::channel();
        let x = h.spawn(async move {
            let late = spawn(async move { let t = Instant::now(); time::sleep(Duration::from_millis(33)).await; tx.send(t.elapsed()).unwrap() });
            time::sleep(Duration::from_millis(3)).await;
            std::thread::sleep(Duration::from_millis(1000));
            late.await
        });
        println!("n={n} timer 33ms fired after {:?}", rx.recv().unwrap());
        rt.block_on(x);
        // all blocked
        let blockers: Vec<_> = (0..n).map(|_| h.spawn(async { std::thread::sleep(Duration::from_millis(1000)) })).collect();
        std::thread::sleep(Duration::from_millis(20));
        let t0 = Instant::now();
        let (tx, rx) = mpsc::channel();
        h.spawn(async move { time::sleep(Duration::from_millis(5)).await; tx.send(t0.elapsed()).unwrap() });
        println!("n={n} all blocked: task+sleep(5ms) after {:?}", rx.recv().unwrap());
        rt.block_on(async { for b in blockers { b.await } });
        let t = Instant::now();
        drop(rt);
        println!("drop {:?}", t.elapsed());
    }
    // dropped inside
    let rt = Runtime::builder().worker_threads(2).build().unwrap();
    let h = rt.handle();
    let t = h.spawn(async move { drop(rt); 5 });
    println!("{:?}", Runtime::new().unwrap().block_on(t.outcome()));
    let t = h.spawn(async move { 5 });
    println!("{:?}", Runtime::new().unwrap().block_on(t.outcome()));
    // drop with tasks
    let t0 = Instant::now();
    for i in 0..200 {
        let rt = Runtime::builder().worker_threads(3).build().unwrap();
        for _ in 0..50 { let _ = rt.handle().spawn(async { time::sleep(Duration::from_secs(100)).await }); let _ = rt.handle().spawn(async { loop { yield_now().await } }); }
        if i % 2 == 0 { rt.block_on(async { time::sleep(Duration::from_micros(300)).await }); }
    }
    println!("200 runtimes in {:?}", t0.elapsed());
    let t0 = Instant::now();
    let r = run(async {
        let _ = spawn(async { let e = catch_cancelled(std::future::pending::<()>()).await; time::sleep(Duration::from_millis(50)).await; println!("cleaned up {e:?}") });
        yield_now().await;
        1
    });
    println!("{r:?} {:?}", t0.elapsed());
    let rt = Runtime::new().unwrap();
    let m = rt.handle().spawn(async {
    let t0 = Instant::now();
    let v: Vec<_> = (0..1_000_000u64).map(|i| spawn(async move { time::sleep(Duration::from_millis(1000 + i % 1000)).await })).collect();
    println!("spawned 1M sleeps {:?}", t0.elapsed());
    for t in v { t.await }
    println!("1M sleeps {:?}", t0.elapsed());
    });
    rt.block_on(m);
}

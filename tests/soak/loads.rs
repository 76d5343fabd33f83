//! The loads. Each goes on until the gate opens, then lets what it has begun come to its end.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use tasca::net::{TcpListener, TcpStream};
use tasca::time::{interval, sleep};
use tasca::{
    Runtime, Task, TaskGroup, as_completed, finally, gather, shield, spawn_blocking, timeout,
    to_thread, yield_now,
};
use tasca_tests::{Gate, Random};

use crate::account::{Account, Entry, booked};

type Load = fn(Random, Arc<Account>, Gate) -> BoxFuture<'static, ()>;

pub(crate) const ALL: [Load; 8] = [
    |random, account, stop| echo(random, account, stop).boxed(),
    |random, account, stop| timers(random, account, stop).boxed(),
    |random, account, stop| cancels(random, account, stop).boxed(),
    |random, account, stop| pool(random, account, stop).boxed(),
    |random, account, stop| groups(random, account, stop).boxed(),
    |random, account, stop| locks(random, account, stop).boxed(),
    |random, account, stop| items(random, account, stop).boxed(),
    |random, account, stop| trouble(random, account, stop).boxed(),
];

async fn all(tasks: Vec<Task<()>>) {
    for task in tasks {
        task.await;
    }
}

/// Clients that connect, ask some times, and leave in one way or another.
async fn echo(mut random: Random, account: Arc<Account>, stop: Gate) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let accepting = booked(async move {
        let mut incoming = listener.incoming();
        while let Some(stream) = incoming.next().await {
            drop(booked(serve(stream.expect("accepting goes on"))));
        }
    });
    let clients = (0..24)
        .map(|_| {
            let (mut random, account, stop) = (random.split(), Arc::clone(&account), stop.clone());
            booked(async move {
                while !stop.is_open() {
                    client(&mut random, address, &account)
                        .await
                        .expect("the server is there");
                }
            })
        })
        .collect();
    all(clients).await;
    accepting.cancel();
    drop(accepting.outcome().await);
}

async fn serve(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    // A client that resets is gone like any other.
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

async fn client(
    random: &mut Random,
    address: std::net::SocketAddr,
    account: &Account,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    for _ in 0..random.below(100) {
        let sent = vec![random.below(256) as u8; 1 + random.below(3000) as usize];
        stream.write_all(&sent).await?;
        account.bytes.begun.add(sent.len() as u64);
        let mut received = vec![0; sent.len()];
        stream.read_exact(&mut received).await?;
        assert!(sent == received, "other bytes than were sent");
        account.bytes.ended.add(received.len() as u64);
    }
    match random.below(3) {
        0 => stream.close().await,
        1 => stream.set_linger(Some(Duration::ZERO)),
        // Gives up a read in the middle.
        _ => {
            let waited = timeout(Duration::from_micros(200), stream.read(&mut [0; 1])).await;
            assert!(waited.is_err(), "nobody has asked");
            Ok(())
        }
    }
}

async fn timers(mut random: Random, account: Arc<Account>, stop: Gate) {
    let sleepers = (0..100)
        .map(|_| {
            let (mut random, account, stop) = (random.split(), Arc::clone(&account), stop.clone());
            booked(async move {
                let mut ticks = interval(Duration::from_millis(1 + random.below(5)));
                while !stop.is_open() {
                    let (began, wanted) =
                        (Instant::now(), Duration::from_micros(random.below(20_000)));
                    let late = timeout(Duration::from_micros(random.below(20_000)), sleep(wanted));
                    if late.await.is_ok() {
                        assert!(began.elapsed() >= wanted, "too early");
                    }
                    ticks.tick().await;
                    account.timers.add(3);
                }
            })
        })
        .collect();
    all(sleepers).await;
}

/// Tasks that are cancelled in every state, with clean-up that awaits.
async fn cancels(mut random: Random, account: Arc<Account>, stop: Gate) {
    while !stop.is_open() {
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let cleanups = Arc::clone(&account);
                let patience = Duration::from_micros(random.below(800));
                booked(async move {
                    cleanups.cleanups.begun.add(1);
                    let body = async move {
                        sleep(patience).await;
                        booked(pending::<()>()).await;
                    };
                    finally(body, async move {
                        yield_now().await;
                        cleanups.cleanups.ended.add(1);
                    })
                    .await;
                })
            })
            .collect();
        sleep(Duration::from_micros(random.below(1500))).await;
        for task in &tasks {
            task.cancel_with("storm");
        }
        for task in tasks {
            let error = task.outcome().await.expect_err("it waits for ever");
            assert!(error.is_cancelled(), "{error}");
        }
    }
}

async fn pool(mut random: Random, account: Arc<Account>, stop: Gate) {
    while !stop.is_open() {
        let jobs: Vec<Task<()>> = (0..1 + random.below(60))
            .map(|_| {
                let micros = random.below(200);
                let entry = Entry::begin(&account, |account| &account.jobs);
                spawn_blocking(move || {
                    let _entry = entry;
                    std::thread::sleep(Duration::from_micros(micros));
                })
            })
            .collect();
        for job in jobs {
            // Cancelled before it begins, it never runs; later, it comes to its end.
            if random.one_in(8) && job.cancel() {
                if let Err(error) = job.outcome().await {
                    assert!(error.is_cancelled(), "{error}");
                }
            } else {
                job.await;
            }
        }
        let entry = Entry::begin(&account, |account| &account.jobs);
        to_thread(move || drop(entry)).await;
    }
}

async fn groups(mut random: Random, account: Arc<Account>, stop: Gate) {
    let started = |random: &mut Random| {
        let entry = Entry::begin(&account, |account| &account.children);
        let wait = Duration::from_micros(random.below(400));
        booked(async move {
            let _entry = entry;
            sleep(wait).await;
        })
    };
    while !stop.is_open() {
        match random.below(4) {
            0 => {
                let tasks: Vec<_> = (0..20).map(|_| started(&mut random)).collect();
                drop(gather(tasks).await);
            }
            1 => {
                let tasks: Vec<_> = (0..10).map(|_| started(&mut random)).collect();
                let ended = as_completed(tasks);
                while let Some(task) = ended.next().await {
                    task.await;
                }
            }
            2 => {
                let fails = random.one_in(2);
                let children: Vec<_> = (0..10).map(|_| started(&mut random)).collect();
                let scope = TaskGroup::<&str>::scope(async |group| {
                    for child in children {
                        drop(group.spawn(child));
                    }
                    if fails {
                        drop(group.try_spawn(async { Err::<(), _>("on purpose") }));
                    }
                });
                assert_eq!(scope.await.is_err(), fails);
            }
            _ => {
                let task = started(&mut random);
                let patience = Duration::from_micros(random.below(400));
                // The shielded one goes on if the time is over.
                let _in_time = timeout(patience, shield(task)).await;
            }
        }
    }
}

async fn locks(mut random: Random, account: Arc<Account>, stop: Gate) {
    let rivals = (0..16)
        .map(|_| {
            let (mut random, account, stop) = (random.split(), Arc::clone(&account), stop.clone());
            booked(async move {
                while !stop.is_open() {
                    rival(&mut random, &account).await;
                }
            })
        })
        .collect();
    all(rivals).await;
    let sum = *account.lock.lock().await + *account.rw_lock.read().await;
    account.locked.ended.add(sum);
}

async fn rival(random: &mut Random, account: &Account) {
    let (kind, hold, gives_up) = (random.below(4), random.one_in(3), random.one_in(2));
    let patience = Duration::from_micros(random.below(300));
    let access = async {
        match kind {
            0 => {
                let mut value = account.lock.lock().await;
                *value += 1;
                account.locked.begun.add(1);
                if hold {
                    yield_now().await;
                }
            }
            1 => {
                let mut value = account.rw_lock.write().await;
                *value += 1;
                account.locked.begun.add(1);
                if hold {
                    yield_now().await;
                }
            }
            2 => {
                let _value = account.rw_lock.read().await;
                yield_now().await;
            }
            _ => {
                let _permit = account.permits.acquire().await;
                sleep(Duration::from_micros(50)).await;
            }
        }
    };
    // Given up at any moment, now and then.
    if gives_up {
        let _in_time = timeout(patience, access).await;
    } else {
        access.await;
    }
}

/// Producers and consumers; some of these give up waiting.
async fn items(mut random: Random, account: Arc<Account>, stop: Gate) {
    let consumers: Vec<_> = (0..4)
        .map(|_| {
            let (mut random, account) = (random.split(), Arc::clone(&account));
            booked(async move {
                loop {
                    let patience = Duration::from_micros(random.below(500));
                    match timeout(patience, account.queue.get()).await {
                        Ok(Ok(_)) => account.items.ended.add(1),
                        Ok(Err(_shut_down)) => return,
                        Err(_too_late) => {}
                    }
                }
            })
        })
        .collect();
    let producers = (0..4)
        .map(|_| {
            let (mut random, account, stop) = (random.split(), Arc::clone(&account), stop.clone());
            booked(async move {
                while !stop.is_open() {
                    // Booked first: a consumer may be faster than this task.
                    account.items.begun.add(1);
                    let put = account.queue.put(random.below(9)).await;
                    put.expect("it is shut down at the end");
                    if random.one_in(20) {
                        sleep(Duration::from_micros(random.below(500))).await;
                    }
                }
            })
        })
        .collect();
    all(producers).await;
    account.queue.shutdown();
    all(consumers).await;
}

/// Polls that block, on one worker or on all, and runtimes inside the runtime.
async fn trouble(mut random: Random, account: Arc<Account>, stop: Gate) {
    while !stop.is_open() {
        sleep(Duration::from_millis(random.below(200))).await;
        let blockers = (0..random.below(6))
            .map(|_| {
                let (account, millis) = (Arc::clone(&account), random.below(30));
                booked(async move {
                    std::thread::sleep(Duration::from_millis(millis));
                    account.blocked.add(1);
                })
            })
            .collect();
        all(blockers).await;
        to_thread(|| {
            let inner = Runtime::builder().worker_threads(2).build();
            let inner = inner.expect("a runtime can be made");
            drop(inner.handle().spawn(pending::<()>()));
            assert_eq!(inner.block_on(async { tasca::spawn(async { 1 }).await }), 1);
        })
        .await;
        account.runtimes.add(1);
    }
}

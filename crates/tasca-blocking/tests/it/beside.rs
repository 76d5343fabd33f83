//! What goes on beside calls that block: timers and sockets of the same runtime.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use tasca_blocking::{spawn_blocking, statistics, to_thread};
use tasca_core::io::Async;
use tasca_core::time::sleep;
use tasca_core::{Runtime, Task, spawn};

use crate::support::{Latch, current_thread, guarded, multi_thread};

const N_CALLS: usize = 64;
const N_TURNS: usize = 200;

async fn read(stream: &Async<TcpStream>) -> io::Result<u8> {
    let mut byte = [0];
    stream
        .read_with(|mut stream| stream.read_exact(&mut byte))
        .await?;
    Ok(byte[0])
}

async fn write(stream: &Async<TcpStream>, byte: u8) -> io::Result<()> {
    stream
        .write_with(|mut stream| stream.write_all(&[byte]))
        .await
}

/// A server that answers each byte with the next.
fn server() -> (Async<TcpStream>, Task<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let server = Async::new(server).unwrap();
    let task = spawn(async move {
        while let Ok(byte) = read(&server).await {
            write(&server, byte.wrapping_add(1)).await.unwrap();
        }
    });
    (Async::new(client).unwrap(), task)
}

/// None of the calls ends before the sleeps and the echo have: were they held up by them, this would hang.
#[test]
fn sleeps_and_an_echo_go_on_while_64_calls_block_and_all_cores_are_asked_for() {
    guarded("sleeps and an echo go on while 64 calls", || {
        let check = |rt: Runtime| {
            rt.block_on(async {
                let (begun, go) = (Latch::new(), Latch::new());
                let hold = || {
                    let (begun, go) = (begun.clone(), go.clone());
                    move || {
                        begun.hit();
                        go.wait(1);
                    }
                };
                let calls: Vec<_> = (0..N_CALLS).map(|_| spawn(to_thread(hold()))).collect();
                let computations: Vec<_> = (0..N_CALLS).map(|_| spawn_blocking(hold())).collect();
                while statistics().blocking.n_threads < N_CALLS || begun.count() <= N_CALLS {
                    sleep(Duration::from_millis(1)).await;
                }

                let sleeps = spawn(async {
                    for _ in 0..N_TURNS {
                        sleep(Duration::from_millis(1)).await;
                    }
                });
                let (client, served) = server();
                for turn in 0..N_TURNS {
                    let byte = turn as u8;
                    write(&client, byte).await.unwrap();
                    assert_eq!(read(&client).await.unwrap(), byte.wrapping_add(1));
                }
                sleeps.await;
                drop(client);
                served.await;

                go.hit();
                for task in calls.into_iter().chain(computations) {
                    task.await;
                }
            });
        };
        check(current_thread());
        check(multi_thread());
        check(Runtime::builder().worker_threads(1).build().unwrap());
    });
}

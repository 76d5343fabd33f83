//! Signals that come all the time, with a handler that does not restart what it interrupts: nobody sees an error.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use tasca::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use tasca::time::sleep;
use tasca::{Runtime, fs, run, spawn, spawn_blocking, to_thread};

use crate::alone::alone;

static N_SIGNALS: AtomicUsize = AtomicUsize::new(0);
static OVER: AtomicBool = AtomicBool::new(false);

extern "C" fn count(_: libc::c_int) {
    N_SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Has SIGUSR1 interrupt system calls for good.
fn interrupt_calls() {
    // SAFETY: all zeros is an action with no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as *const () as libc::sighandler_t;
    // SAFETY: the action lives through the call, and the handler does nothing but count.
    let status = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(status, 0, "{}", io::Error::last_os_error());
}

/// Sends the signal to every other thread of the process, one after the other, until it is over.
fn storm() {
    // SAFETY: no memory is involved.
    let process = unsafe { libc::getpid() };
    // SAFETY: as above.
    let me = unsafe { libc::gettid() };
    while !OVER.load(Ordering::Relaxed) {
        for thread in std::fs::read_dir("/proc/self/task").expect("this is Linux") {
            let thread = thread.expect("it can be listed").file_name();
            let thread: libc::pid_t = thread.to_string_lossy().parse().expect("a number");
            if thread != me {
                // SAFETY: no memory is involved. The thread may have ended, which is an error that does not matter.
                unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn a_storm_of_signals_interrupts_nobody() {
    alone("signals::a_storm_of_signals_interrupts_nobody", || {
        interrupt_calls();
        let storming = std::thread::spawn(storm);
        for builder in [
            Runtime::builder().worker_threads(3),
            Runtime::builder().current_thread(),
        ] {
            let runtime = builder.build().expect("a runtime can be made");
            runtime
                .block_on(runtime.handle().spawn(everything()))
                .expect("no error");
        }
        assert_eq!(
            run(async { spawn(async { 5 }).await }).expect("no error"),
            5
        );
        OVER.store(true, Ordering::Relaxed);
        storming.join().expect("it has seen that it is over");
    });
}

/// Whatever calls the system, until it has been hit often enough.
async fn everything() -> io::Result<()> {
    let (began, n_before) = (Instant::now(), N_SIGNALS.load(Ordering::Relaxed));
    let n_signals = || N_SIGNALS.load(Ordering::Relaxed) - n_before;
    while began.elapsed() < Duration::from_millis(500) || n_signals() < 1000 {
        let others = [spawn(streams()), spawn(datagrams()), spawn(files())];
        let asleep = Instant::now();
        sleep(Duration::from_millis(3)).await;
        assert!(asleep.elapsed() >= Duration::from_millis(3), "too early");
        assert_eq!(spawn_blocking(|| 3).await, 3);
        to_thread(|| std::thread::sleep(Duration::from_millis(1))).await;
        for other in others {
            other.await?;
        }
    }
    Ok(())
}

async fn streams() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut bytes = vec![0; 1 << 20];
        stream.read_exact(&mut bytes).await?;
        stream.write_all(&bytes).await?;
        stream.close().await
    });
    let mut stream = TcpStream::connect(address).await?;
    let sent: Vec<u8> = (0..1_u32 << 20).map(|n| (n % 251) as u8).collect();
    stream.write_all(&sent).await?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await?;
    assert!(received == sent, "bytes were lost");
    serving.await
}

async fn datagrams() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    for n in 0..50_u32 {
        socket.send_to(&n.to_ne_bytes(), address).await?;
        let mut bytes = [0; 4];
        socket.recv(&mut bytes).await?;
        assert_eq!(u32::from_ne_bytes(bytes), n);
    }
    assert!(lookup_host("127.0.0.1:80").await?.next().is_some());
    Ok(())
}

async fn files() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file");
    for _ in 0..5 {
        fs::write(&path, b"under fire").await?;
        assert_eq!(fs::read(&path).await?, b"under fire");
    }
    Ok(())
}

//! Files: the functions of `std::fs` that every program needs, each as a job of [`to_thread`].
//!
//! No system has a way to wait for a file that is as good as its way to wait for a socket; a thread that blocks is
//! the honest one. So each call here costs two thread switches, and many small ones in a row are better made
//! in one [`to_thread`].
//!
//! All give the errors of their namesakes in [`std::fs`], and one outside a runtime. If one of their futures is dropped, or its task
//! cancelled, a call that has begun goes on to its end all the same, and its outcome is lost.

mod file;

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

pub use file::{File, OpenOptions};
use tasca_core::io::require_runtime;

use crate::on_thread::to_thread;

/// Reads a whole file.
///
/// # Errors
///
/// Those of [`std::fs::read`].
///
/// # Cancel safety
///
/// A call that has begun goes on, on its thread; its outcome is lost.
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let manifest = fs::read("Cargo.toml").await?;
/// assert!(manifest.starts_with(b"[package]"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    with_path(path, std::fs::read).await
}

/// Reads a whole file that holds UTF-8.
///
/// # Errors
///
/// Those of [`std::fs::read_to_string`].
///
/// # Cancel safety
///
/// As for [`read`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let manifest = fs::read_to_string("Cargo.toml").await?;
/// assert!(manifest.starts_with("[package]"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    with_path(path, std::fs::read_to_string).await
}

/// Writes a whole file; one that exists is replaced.
///
/// # Errors
///
/// Those of [`std::fs::write`].
///
/// # Cancel safety
///
/// As for [`read`]: a file that is being written is written to its end.
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # rt.block_on(async {
/// # let path = folder.path().join("greeting");
/// fs::write(&path, "hello").await?;
/// assert_eq!(fs::read(&path).await?, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn write(
    path: impl AsRef<Path>,
    contents: impl AsRef<[u8]> + Send + 'static,
) -> io::Result<()> {
    with_path(path, move |path| std::fs::write(path, contents)).await
}

/// Asks for the metadata of a file; follows symbolic links.
///
/// # Errors
///
/// Those of [`std::fs::metadata`].
///
/// # Cancel safety
///
/// As for [`read`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// assert!(fs::metadata("Cargo.toml").await?.is_file());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with_path(path, std::fs::metadata).await
}

/// Makes a directory, and those above it that do not exist.
///
/// # Errors
///
/// Those of [`std::fs::create_dir_all`].
///
/// # Cancel safety
///
/// As for [`read`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # rt.block_on(async {
/// let deep = folder.path().join("a/b");
/// fs::create_dir_all(&deep).await?;
/// assert!(fs::metadata(&deep).await?.is_dir());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, std::fs::create_dir_all).await
}

/// Removes a file.
///
/// # Errors
///
/// Those of [`std::fs::remove_file`].
///
/// # Cancel safety
///
/// As for [`read`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # rt.block_on(async {
/// # let path = folder.path().join("file");
/// # fs::write(&path, "").await?;
/// fs::remove_file(&path).await?;
/// assert!(fs::metadata(&path).await.is_err());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, std::fs::remove_file).await
}

/// Removes a directory and everything in it.
///
/// # Errors
///
/// Those of [`std::fs::remove_dir_all`].
///
/// # Cancel safety
///
/// As for [`read`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # rt.block_on(async {
/// # let path = folder.path().join("directory");
/// # fs::create_dir_all(&path).await?;
/// fs::remove_dir_all(&path).await?;
/// assert!(fs::metadata(&path).await.is_err());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, std::fs::remove_dir_all).await
}

/// Renames a file or directory.
///
/// # Errors
///
/// Those of [`std::fs::rename`].
///
/// # Cancel safety
///
/// As for [`read`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # rt.block_on(async {
/// # let (from, to) = (folder.path().join("from"), folder.path().join("to"));
/// # fs::write(&from, "hello").await?;
/// fs::rename(&from, &to).await?;
/// assert_eq!(fs::read(&to).await?, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let to: PathBuf = to.as_ref().to_owned();
    with_path(from, move |from| std::fs::rename(from, to)).await
}

/// Runs `call` with `path` on a thread.
async fn with_path<R: Send + 'static>(
    path: impl AsRef<Path>,
    call: impl FnOnce(PathBuf) -> io::Result<R> + Send + 'static,
) -> io::Result<R> {
    let owned = path.as_ref().to_owned();
    // The future keeps the copy alone, and so is `Send` whatever `path` is.
    drop(path);
    on_thread(move || call(owned)).await
}

/// Makes a call on a thread for such; where there is no runtime whose thread it could be, that is an error as others are.
async fn on_thread<R: Send + 'static>(
    call: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> io::Result<R> {
    require_runtime()?;
    to_thread(call).await
}

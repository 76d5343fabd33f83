//! [`File`]: an open file.

use std::fs::Metadata;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::on_thread;

/// An open file.
///
/// Each operation takes one turn on a thread. It has no buffer: read and write in large pieces, or
/// whole files with [`read`](super::read) and [`write`](super::write). Dropping it closes the file, on this thread.
///
/// # Examples
///
/// ```
/// use tasca_blocking::fs::File;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let mut file = File::open("Cargo.toml").await?;
/// let start = file.read(9).await?;
/// assert_eq!(start, b"[package]");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct File {
    /// Shared with the operation that is under way. The system keeps the position.
    file: Arc<std::fs::File>,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::open`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](super::read).
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file for writing; one that exists is emptied.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::create`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](super::read).
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .await
    }

    /// Reads at most `n_bytes` from where the file stands; fewer, and perhaps none, at its end.
    ///
    /// # Errors
    ///
    /// Those of [`std::io::Read::read`], but for interrupted calls, which are repeated.
    ///
    /// # Cancel safety
    ///
    /// Bytes may have been read, and are lost: the file stands behind them.
    pub async fn read(&mut self, n_bytes: usize) -> io::Result<Vec<u8>> {
        self.run(move |mut file| {
            let mut bytes = vec![0; n_bytes];
            let n_read = loop {
                match file.read(&mut bytes) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            bytes.truncate(n_read);
            Ok(bytes)
        })
        .await
    }

    /// Reads from where the file stands to its end.
    ///
    /// # Errors
    ///
    /// Those of [`std::io::Read::read_to_end`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        self.run(|mut file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
    }

    /// Writes all of `bytes` where the file stands.
    ///
    /// # Errors
    ///
    /// Those of [`std::io::Write::write_all`]; some bytes may have been written.
    ///
    /// # Cancel safety
    ///
    /// A call that has begun writes all bytes.
    pub async fn write_all(&mut self, bytes: impl AsRef<[u8]> + Send + 'static) -> io::Result<()> {
        self.run(move |mut file| file.write_all(bytes.as_ref()))
            .await
    }

    /// Moves to another position; gives it, from the start of the file.
    ///
    /// # Errors
    ///
    /// Those of [`std::io::Seek::seek`].
    ///
    /// # Cancel safety
    ///
    /// A call that has begun moves the file.
    pub async fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.run(move |mut file| file.seek(position)).await
    }

    /// Waits until the system has put everything on the disk.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::sync_all`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](super::read).
    pub async fn sync_all(&self) -> io::Result<()> {
        self.run(std::fs::File::sync_all).await
    }

    /// Cuts the file off, or extends it with zeros.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::set_len`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](super::read).
    pub async fn set_len(&self, n_bytes: u64) -> io::Result<()> {
        self.run(move |file| file.set_len(n_bytes)).await
    }

    /// Asks for the file's metadata.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::metadata`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](super::read).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.run(std::fs::File::metadata).await
    }

    async fn run<R: Send + 'static>(
        &self,
        call: impl FnOnce(&std::fs::File) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let file = Arc::clone(&self.file);
        on_thread(move || call(&file)).await
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> Self {
        Self {
            file: Arc::new(file),
        }
    }
}

/// How a [`File`] is to be opened; see [`std::fs::OpenOptions`].
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `open`"]
pub struct OpenOptions(std::fs::OpenOptions);

impl OpenOptions {
    /// Nothing is allowed yet.
    pub fn new() -> Self {
        Self(std::fs::OpenOptions::new())
    }

    /// Allows reading.
    pub fn read(mut self, read: bool) -> Self {
        self.0.read(read);
        self
    }

    /// Allows writing.
    pub fn write(mut self, write: bool) -> Self {
        self.0.write(write);
        self
    }

    /// Writes at the end, always.
    pub fn append(mut self, append: bool) -> Self {
        self.0.append(append);
        self
    }

    /// Empties a file that exists.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.0.truncate(truncate);
        self
    }

    /// Makes a file that does not exist.
    pub fn create(mut self, create: bool) -> Self {
        self.0.create(create);
        self
    }

    /// Makes a file that must not exist.
    pub fn create_new(mut self, create_new: bool) -> Self {
        self.0.create_new(create_new);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](super::read).
    pub async fn open(self, path: impl AsRef<Path>) -> io::Result<File> {
        super::with_path(path, move |path| self.0.open(path))
            .await
            .map(File::from)
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> Self {
        Self(options)
    }
}

//! Files.

use std::io::{ErrorKind, SeekFrom};

use tasca_blocking::fs::{self, File, OpenOptions};

use crate::support::on_each;

#[test]
fn files_are_written_read_and_removed() {
    on_each(|| async {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("directory");
        let deep = directory.join("a/b");
        fs::create_dir_all(&deep).await.unwrap();
        let path = deep.join("file");
        fs::write(&path, "hello").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"hello");
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "hello");
        assert_eq!(fs::metadata(&path).await.unwrap().len(), 5);

        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .await
            .unwrap();
        assert_eq!(file.seek(SeekFrom::End(0)).await.unwrap(), 5);
        file.write_all(" world").await.unwrap();
        assert_eq!(file.seek(SeekFrom::Start(1)).await.unwrap(), 1);
        assert_eq!(file.read(4).await.unwrap(), b"ello");
        assert_eq!(file.read_to_end().await.unwrap(), b" world");
        assert_eq!(file.read(4).await.unwrap(), b"");
        file.set_len(2).await.unwrap();
        file.sync_all().await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 2);

        let moved = directory.join("moved");
        fs::rename(&path, &moved).await.unwrap();
        assert_eq!(
            File::open(&path).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        drop(File::create(&moved).await.unwrap());
        assert_eq!(fs::read(&moved).await.unwrap(), b"");
        fs::remove_file(&moved).await.unwrap();
        fs::remove_dir_all(&directory).await.unwrap();
        assert_eq!(
            fs::metadata(&directory).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn futures_of_files_can_be_spawned() {
    on_each(|| async {
        let text = tasca_core::spawn(fs::read_to_string("Cargo.toml"))
            .await
            .unwrap();
        assert!(text.contains("tasca-blocking"));
    });
}

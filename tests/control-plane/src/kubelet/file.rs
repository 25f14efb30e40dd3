//! A prepared log file: counting its lines, and reading it while it grows.

use std::io::{self, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::lines::Format;

/// How many bytes are read at once.
const PIECE: usize = 64 << 10;

/// An open log file.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    /// Which file it is, whatever its name becomes.
    id: u64,
    piece: Vec<u8>,
}

impl LogFile {
    /// Opens a file, or `None` when it is not there.
    pub(crate) async fn open(path: PathBuf) -> io::Result<Option<Self>> {
        let file = match File::open(&path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = file.metadata().await?.ino();
        Ok(Some(Self {
            path,
            file,
            id,
            piece: vec![0; PIECE],
        }))
    }

    /// How many lines the file has, and goes back to its beginning. A last line without an end is one if it is plain.
    pub(crate) async fn length(&mut self) -> io::Result<u64> {
        let (mut ends, mut first, mut last) = (0, Vec::new(), b'\n');
        loop {
            let piece = self.read().await?;
            let Some(&byte) = piece.last() else { break };
            last = byte;
            if ends == 0 {
                first.extend(piece.iter().take_while(|&&byte| byte != b'\n'));
            }
            ends += piece.iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
        }
        self.file.seek(SeekFrom::Start(0)).await?;
        let open = last != b'\n' && Format::of(&first) == Format::Plain;
        Ok(ends + u64::from(open))
    }

    /// The next bytes, none at the end of what is there.
    pub(crate) async fn read(&mut self) -> io::Result<&[u8]> {
        let read = self.file.read(&mut self.piece).await?;
        Ok(self.piece.get(..read).unwrap_or_default())
    }

    /// Opens the file anew if another one has its name now.
    pub(crate) async fn reopen(&mut self) -> io::Result<bool> {
        match fs::metadata(&self.path).await {
            Ok(now) if now.ino() != self.id => {}
            _ => return Ok(false),
        }
        let Some(file) = Self::open(self.path.clone()).await? else {
            return Ok(false);
        };
        *self = file;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_counted_read_grown_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert!(LogFile::open(path.clone()).await.unwrap().is_none());
        let stamp = "2026-11-21T02:00:00Z stdout F";
        for (text, length) in [
            (String::new(), 0),
            ("a\nb\n".to_owned(), 2),
            ("a\nb".to_owned(), 2),
            (format!("{stamp} a\n{stamp} b"), 1),
            ("x".repeat(PIECE) + "\ny\n" + &"z".repeat(PIECE), 3),
        ] {
            std::fs::write(&path, &text).unwrap();
            let mut file = LogFile::open(path.clone()).await.unwrap().unwrap();
            assert_eq!(file.length().await.unwrap(), length);
            let mut all = Vec::new();
            loop {
                let piece = file.read().await.unwrap();
                if piece.is_empty() {
                    break;
                }
                all.extend_from_slice(piece);
            }
            assert!(all == text.as_bytes());
        }
        std::fs::write(&path, "a\n").unwrap();
        let mut file = LogFile::open(path.clone()).await.unwrap().unwrap();
        assert_eq!(file.read().await.unwrap(), b"a\n");
        assert_eq!(file.read().await.unwrap(), b"");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert!(!file.reopen().await.unwrap());
        assert_eq!(file.read().await.unwrap(), b"b\n");
        std::fs::rename(&path, dir.path().join("log.1")).unwrap();
        assert!(!file.reopen().await.unwrap());
        std::fs::write(&path, "c\n").unwrap();
        assert!(file.reopen().await.unwrap());
        assert_eq!(file.read().await.unwrap(), b"c\n");
    }
}

//! Event files, which TensorBoard draws: numbers that change with the steps of a training.
//!
//! A file is a row of records: the length of an event as 8 bytes, a checksum of that, the event as
//! a protocol buffer, a checksum of that (the format TFRecord). Checksums are CRC-32C, turned by 15
//! bits and shifted by a constant.

use crate::data::protobuf::Message;
use crate::error::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file that is being written. TensorBoard reads all the files of a folder together, so a
/// training that goes on begins another one.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: std::fs::File,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

fn crc32c(bytes: &[u8]) -> u32 {
    let fold = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), fold))
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8).to_le_bytes()
}

fn record(event: &Message) -> Vec<u8> {
    let length = (event.0.len() as u64).to_le_bytes();
    [&length, masked(&length).as_slice(), &event.0, &masked(&event.0)].concat()
}

impl Events {
    /// Begins a file in a folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(folder: &Path) -> Result<Self> {
        let started = now();
        // Two trainings may begin in one second.
        let name = |n: u64| folder.join(format!("events.out.tfevents.{started:010.0}.lacuna.{n}"));
        let path = (0..).map(name).find(|p| !p.exists()).unwrap_or_else(|| name(0));
        let file = std::fs::File::create(&path).map_err(Error::io(&path, "create"))?;
        let mut events = Self { path, file };
        events.write(&Message::default().double(1, started).text(3, "brain.Event:2"))?;
        Ok(events)
    }

    /// Adds some numbers at a step.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn scalars(&mut self, step: usize, numbers: &[(&str, f64)]) -> Result<()> {
        let value = |(tag, x): &(&str, f64)| Message::default().text(1, tag).float(2, *x as f32);
        let summary = Message::default().all(1, &numbers.iter().map(value).collect::<Vec<_>>());
        self.write(&Message::default().double(1, now()).number(2, step as i64).message(5, &summary))
    }

    fn write(&mut self, event: &Message) -> Result<()> {
        self.file.write_all(&record(event)).and_then(|()| self.file.flush()).map_err(Error::io(&self.path, "write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[255; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn every_beginning_has_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            Events::create(dir.path()).unwrap().scalars(3, &[("loss/train", 0.5), ("loss/test", 0.25)]).unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| std::fs::read(f.unwrap().path()).unwrap()).collect();
        assert_eq!(files.len(), 2);
        let length = u64::from_le_bytes(files[0][..8].try_into().unwrap()) as usize;
        assert_eq!(files[0][8..12], masked(&files[0][..8]));
        assert_eq!(files[0][12 + length..16 + length], masked(&files[0][12..12 + length]));
        assert!(files[0].windows(10).any(|w| w == b"loss/train"));
    }
}

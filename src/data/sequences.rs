//! Sequences of frames, whose next frame is to be forecast: chorales as piano rolls, images row by
//! row, and images that move.

use super::samples::Samples;
use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The lowest and the highest key of a piano, as numbers of MIDI.
pub const KEYS: (i64, i64) = (21, 108);

/// A sequence: its frames one behind the other, each row by row, numbers from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The numbers of all frames.
    pub values: Vec<f32>,
    /// How many frames there are.
    pub steps: usize,
}

/// Sequences to learn from, to choose by and to judge by.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceSet {
    /// Height and width of a frame.
    pub frame: [usize; 2],
    /// What is learnt, ...
    pub train: Vec<Sequence>,
    /// ... what decides when to end, ...
    pub valid: Vec<Sequence>,
    /// ... and what is reported.
    pub test: Vec<Sequence>,
}

impl SequenceSet {
    /// A number that stands for all sequences.
    #[cfg(feature = "nn")]
    pub(crate) fn fingerprint(&self) -> String {
        let all = [&self.train, &self.valid, &self.test].into_iter().flatten();
        crate::data::files::checksum_of(all.flat_map(|s| &s.values).flat_map(|x| x.to_le_bytes()))
    }
}

/// The file of chorales in a folder: `jsb-chorales-quarter.json`, packed by gzip or not.
///
/// # Errors
/// [`Error::File`] when there is none.
pub fn chorales_in(folder: &Path) -> Result<PathBuf> {
    let names = ["jsb-chorales-quarter.json", "jsb-chorales-quarter.json.gz"];
    let known = names.iter().map(|n| folder.join(n)).find(|p| p.is_file());
    known.ok_or_else(|| Error::file(folder, format!("holds neither {} nor {}", names[0], names[1])))
}

/// Reads chorales: a JSON dictionary of `train`, `valid` and `test`, each a list of pieces; a piece
/// is a list of steps, and a step the list of its keys as numbers of MIDI, 21 to 108. A frame is a
/// row of 88 keys.
///
/// # Errors
/// [`Error::File`] that names the part, piece and step that is wrong: a key that no piano has, or a
/// piece of fewer than two steps.
pub fn read_chorales(path: &Path) -> Result<SequenceSet> {
    let mut bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).map_err(|e| Error::file(path, format!("is damaged: {e}")))?;
        bytes = unpacked;
    }
    let mut parts: BTreeMap<String, Vec<Vec<Vec<i64>>>> =
        serde_json::from_slice(&bytes).map_err(|e| Error::file(path, format!("is no dictionary of chorales: {e}")))?;
    let mut part = |name: &str| -> Result<Vec<Sequence>> {
        let pieces = parts.remove(name).ok_or_else(|| Error::file(path, format!("has no part '{name}'")))?;
        if pieces.is_empty() {
            return Err(Error::file(path, format!("'{name}' has no piece")));
        }
        let all = pieces
            .iter()
            .enumerate()
            .map(|(i, piece)| roll(piece).map_err(|why| Error::file(path, format!("piece {} of '{name}' {why}", i + 1))));
        all.collect()
    };
    let [train, valid, test] = [part("train")?, part("valid")?, part("test")?];
    let keys = (KEYS.1 - KEYS.0 + 1) as usize;
    Ok(SequenceSet { frame: [1, keys], train, valid, test })
}

/// A piece as a piano roll, or what is wrong with it.
fn roll(piece: &[Vec<i64>]) -> std::result::Result<Sequence, String> {
    match piece.len() {
        0 => return Err("is empty".into()),
        1 => return Err("has a single step: there is nothing to forecast".into()),
        _ => {}
    }
    let keys = (KEYS.1 - KEYS.0 + 1) as usize;
    let mut values = vec![0.0; piece.len() * keys];
    for (step, notes) in piece.iter().enumerate() {
        for note in notes {
            if !(KEYS.0..=KEYS.1).contains(note) {
                return Err(format!("has the note {note} in step {}: a piano has {} to {}", step + 1, KEYS.0, KEYS.1));
            }
            values[step * keys + (note - KEYS.0) as usize] = 1.0;
        }
    }
    Ok(Sequence { values, steps: piece.len() })
}

/// The pixels of an image of one channel, from 0 to 1.
fn pixels(samples: &Samples, at: usize) -> Vec<f32> {
    let mut pixels = samples.gather(&[at]);
    if let Some((mean, deviation)) = samples.normalisation() {
        pixels.iter_mut().for_each(|x| *x = (*x * deviation[0] + mean[0]).clamp(0.0, 1.0));
    }
    pixels
}

/// Height and width of images of one channel.
fn sides(samples: &Samples) -> Result<[usize; 2]> {
    match *samples.shape {
        [1, height, width] => Ok([height, width]),
        _ => Err(Error::input("sequences are made of images of one channel")),
    }
}

/// Images as sequences of their rows, from the top.
///
/// # Errors
/// [`Error::Input`] for samples that are not images of one channel.
pub fn rows_of_images(samples: &Samples, which: &[usize]) -> Result<Vec<Sequence>> {
    let [height, _] = sides(samples)?;
    Ok(which.iter().map(|&at| Sequence { values: pixels(samples, at), steps: height }).collect())
}

/// Films of `steps` square frames, `side` pixels high: an image, half as high and wide as it was,
/// moves along a line and is thrown back by the edges. Place and speed are by chance.
///
/// # Errors
/// [`Error::Input`] for samples that are not images of one channel, or frames that hold no such
/// image.
pub fn moving_images(samples: &Samples, which: &[usize], side: usize, steps: usize, seed: u64) -> Result<Vec<Sequence>> {
    let [height, width] = sides(samples)?;
    let (high, wide) = (height / 2, width / 2);
    if high == 0 || wide == 0 || high > side || wide > side {
        return Err(Error::input(format!("frames of {side} pixels do not hold images of {high} x {wide}")));
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let film = |&at: &usize| {
        let image = pixels(samples, at);
        let small = |row: usize, column: usize| {
            let at = |down: usize, right: usize| image[(2 * row + down) * width + 2 * column + right];
            (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0
        };
        // Place and speed along each side.
        let mut motion = [high, wide].map(|size| {
            let free = (side - size) as f32;
            (rng.random_range(0.0..=free), rng.random_range(-2.5f32..=2.5), free)
        });
        let mut values = vec![0.0; steps * side * side];
        for frame in values.chunks_exact_mut(side * side) {
            let [top, left] = motion.map(|(place, ..)| place.round() as usize);
            for row in 0..high {
                for column in 0..wide {
                    frame[(top + row) * side + left + column] = small(row, column);
                }
            }
            for (place, speed, free) in &mut motion {
                *place += *speed;
                if *place < 0.0 || *place > *free {
                    *speed = -*speed;
                    *place = if *place < 0.0 { -*place } else { 2.0 * *free - *place }.clamp(0.0, *free);
                }
            }
        }
        Sequence { values, steps }
    };
    Ok(which.iter().map(film).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chorales_are_read_and_what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jsb-chorales-quarter.json");
        assert!(chorales_in(dir.path()).unwrap_err().to_string().contains("holds neither"));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_chorales(&chorales_in(dir.path()).unwrap())
        };
        let part = r#"[[[21], [], [60, 108]]]"#;
        let set = read(&format!(r#"{{"train": {part}, "valid": {part}, "test": [[[60], [61]], [[62], [63]]]}}"#)).unwrap();
        assert_eq!((set.frame, set.train.len(), set.test.len()), ([1, 88], 1, 2));
        let roll = &set.train[0];
        let on: Vec<usize> = (0..roll.values.len()).filter(|&i| roll.values[i] == 1.0).collect();
        assert_eq!((roll.steps, on), (3, vec![0, 2 * 88 + 39, 2 * 88 + 87]));
        for (wrong, says) in [
            ("[[[60], [109]]]", "piece 1 of 'valid' has the note 109 in step 2: a piano has 21 to 108"),
            ("[[[60], [61]], []]", "piece 2 of 'valid' is empty"),
            ("[[[60]]]", "a single step"),
            ("[]", "'valid' has no piece"),
            ("[[[\"c\"]]]", "is no dictionary of chorales"),
        ] {
            let why = read(&format!(r#"{{"train": {part}, "valid": {wrong}, "test": {part}}}"#)).unwrap_err().to_string();
            assert!(why.contains(says), "{why}");
        }
        assert!(read(r#"{"train": []}"#).unwrap_err().to_string().contains("no piece"));
        std::fs::write(&path, [0x1f, 0x8b, 1, 2]).unwrap();
        assert!(read_chorales(&path).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn images_become_rows_and_films() {
        let mut bytes = vec![0u8; 2 * 16];
        bytes[16..].fill(255);
        let samples = Samples::images([1, 4, 4], bytes, vec![0, 1], 0.5, 0.25).unwrap();
        let rows = rows_of_images(&samples, &[1, 0]).unwrap();
        assert_eq!((rows[0].steps, &rows[0].values[..], &rows[1].values[..]), (4, &[1.0; 16][..], &[0.0; 16][..]));
        let films = moving_images(&samples, &[1; 20], 7, 30, 3).unwrap();
        assert_eq!(films, moving_images(&samples, &[1; 20], 7, 30, 3).unwrap());
        let mut places = std::collections::BTreeSet::new();
        for frame in films.iter().flat_map(|f| f.values.chunks_exact(49)) {
            let on: Vec<usize> = (0..49).filter(|&i| frame[i] > 0.0).collect();
            assert_eq!(on.len(), 4, "the image is whole in every frame");
            assert_eq!([on[1], on[2], on[3]], [on[0] + 1, on[0] + 7, on[0] + 8]);
            places.insert(on[0]);
        }
        assert!(places.len() > 20, "it moves");
        assert!(moving_images(&samples, &[0], 1, 3, 0).is_err());
    }
}

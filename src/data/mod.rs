//! Reading and writing: clouds, images, results. Knows nothing of engines or networks.

mod disks;
pub mod files;
pub mod images;
pub mod points;
mod results;
mod samples;

pub use disks::disks;
pub use results::{barcode_csv, barcode_npy, barcode_pers};
pub use samples::{DataSet, Samples};

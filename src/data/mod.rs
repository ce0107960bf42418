//! Reading and writing: clouds, images, results. Knows nothing of engines or networks.

pub mod files;
pub mod generate;
pub mod image_folder;
pub mod images;
mod lock;
mod npy;
pub mod points;
#[cfg(feature = "nn")]
pub(crate) mod protobuf;
mod results;
mod rows;
mod samples;
pub mod sequences;
#[cfg(feature = "nn")]
pub mod sets;
pub mod table;
mod text;

pub use generate::disks;
pub use lock::{FolderLock, lock_folder};
pub use results::{barcode_csv, barcode_npy, barcode_pers, write_labelled};
pub use samples::{DataSet, Samples};

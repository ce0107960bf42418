//! Networks: activations, architectures, models, and the device that they share with the topology
//! engine.

mod activation;
mod arch;
pub mod bridge;
mod clouds;
mod counts;
mod device;
pub mod forecast;
mod groups;
mod init;
mod layer_weights;
pub mod mean_field;
mod native;
mod net;
mod onnx;
mod pass;
mod weights;
mod window;
pub mod zoo;

pub(crate) use activation::fast_exp;
pub use activation::{ALIASES, Activation, Entry, Parameter, Symbol, TABLE as ACTIVATIONS};
pub use arch::{Arch, Layer, Shape};
pub use clouds::{ActivationClouds, spread, spreads};
pub use counts::{Count, counts_of};
pub(crate) use counts::{macs_of, parameters_of};
pub use device::{Compute, keep_freed_memory, pin_default_device};
pub use groups::{Group, Reader};
pub use init::Init;
pub(crate) use init::draw;
pub use layer_weights::LayerWeights;
pub(crate) use native::{Bordered, Form, Keeping};
pub use net::{Flow, Net};
pub use onnx::OnnxNotes;
pub use pass::Pass;
pub use weights::{StateDict, read_state};
pub use window::{Sides, Window};

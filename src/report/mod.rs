//! Pictures, tables and the HTML page.

mod chart;
mod cycles;
mod fine;
mod html;
#[cfg(feature = "cli")]
mod linked;
mod persistence;
mod scatter;
mod table;
#[cfg(feature = "nn")]
pub mod tensorboard;

pub use chart::{Lines, Pairs, Panels, Picture, check_plot_name};
pub use cycles::CycleMap;
pub use html::Page;
#[cfg(feature = "cli")]
pub use linked::{CYCLES_ON_A_PAGE, LinkedPage};
pub use persistence::Persistence;
pub use scatter::{Heat, Scatter};
pub use table::Table;

/// A number of things: `1 epoch`, `2 epochs`.
pub fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

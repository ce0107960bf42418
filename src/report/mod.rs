//! Pictures, tables and the HTML page.

mod chart;
mod html;
mod persistence;
mod table;

pub use chart::{Lines, Pairs, Picture, check_plot_name};
pub use html::Page;
pub use persistence::Persistence;
pub use table::Table;

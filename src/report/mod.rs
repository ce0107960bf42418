//! Pictures, tables and the HTML page.

mod chart;
mod html;
mod persistence;
mod scatter;
mod table;

pub use chart::{Lines, Pairs, Panels, Picture, check_plot_name};
pub use html::Page;
pub use persistence::Persistence;
pub use scatter::{Heat, Scatter};
pub use table::Table;

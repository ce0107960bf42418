//! Pictures, tables and the HTML page.

mod chart;
mod html;
mod persistence;
mod table;

pub use chart::{Lines, Pairs, Picture};
pub use html::Page;
pub use persistence::Persistence;
pub use table::Table;

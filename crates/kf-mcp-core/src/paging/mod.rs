//! Paging of list tools: the arguments and the words of an answer that they share, the opaque cursor, and the scan for
//! filters that the API server cannot apply.

mod cursor;
mod listed;
mod scan;

pub use cursor::Cursor;
pub use listed::{Limit, Listed, filter_words};
pub use scan::{CHUNK, CHUNKS, Found, Scan};

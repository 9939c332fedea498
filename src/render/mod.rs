//! Words that people read and hear, from `templates/`.

pub mod brief;
pub mod html;
pub mod line;
pub mod spoken;
mod words;

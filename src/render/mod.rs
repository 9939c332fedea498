//! Words that people read and hear, from `templates/`.

pub mod spoken;

//! Words people read and hear, from templates.

pub mod html;
pub mod line;

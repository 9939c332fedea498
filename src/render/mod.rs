//! Words that people read and hear, from `templates/`.

pub mod brief;
pub mod csv;
pub mod guide;
pub mod html;
pub mod invitation;
pub mod letter;
pub mod line;
pub mod question;
pub mod spoken;
pub mod vcard;
mod words;

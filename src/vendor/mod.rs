//! Foreign APIs in their own words. Nothing here knows an alert, a page or a person.

mod guard;
pub mod http;
pub mod slack;
pub mod smtp;
pub mod twilio;

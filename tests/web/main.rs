//! The doors by themselves: who may pass, what is refused and how, what the pages and the stream carry.

mod desk;

mod access;
mod api;
mod document;
mod hooks;
mod metrics;
mod orders;
mod pages;
mod passwords;
mod shapes;
mod stream;
mod work;

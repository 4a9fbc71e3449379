//! Picture files: what is taken from them, and how they are written.

pub(crate) mod color;
mod directory;
mod pixels;
mod read;
mod sources;
mod write;

pub(crate) use read::{read, Choices, Read};
pub(crate) use write::{write, Format};

//! Picture files: what is taken from them, and how they are written.

pub(crate) mod color;
mod directory;
mod icc;
mod pixels;
mod pnm;
mod read;
mod sources;
mod write;

pub(crate) use read::{read, refuse_no_picture, Choices, Read};
pub(crate) use write::{write, Format};

//! Coding graphs: networks as data, run on exact arithmetic.
//!
//! A graph is a list of operations in static single assignment form; `README.md` of the crate specifies it.
//! [`Program`] is what a description says, checked against its tensors: it knows no instruction set and
//! infers every shape and the memory of a run before anything is allocated, and knows which rows of a value depend on which. [`Graph`] adds the kernels,
//! packed for one instruction set, and runs. Results do not depend on which one that is.

mod attributes;
mod job;
mod kernel;
mod op;
mod parse;
mod parse_spatial;
mod plan;
mod prepared;
mod program;
mod rows;
mod run;
mod slot;
mod split;
mod strips;
#[cfg(test)]
mod tests;
mod tiled;

pub(crate) use attributes::{check_version, Attributes};
pub(crate) use job::Job;
pub(crate) use op::{Convolution, Op, Shape};
pub use prepared::Graph;
pub(crate) use program::{Node, Program, GRAPH_VERSION};
pub(crate) use rows::Rows;

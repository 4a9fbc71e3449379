//! Model packages, the coding graph, and the way from a picture to a container and back.
//!
//! [`Package`] is a model read from a `.lcrm` file. [`compress`] turns a [`Picture`] into the bytes of a
//! `.lcrs` file with it, [`decompress`] restores the picture, [`info`] says what a file is without its
//! model. All network arithmetic runs on [`lcrs_core::exact`], so bytes and pixels are the same for every
//! instruction set and every number of threads. [`Graph`] runs a single network on the same arithmetic.
//!
//! Files and packages may come from anywhere: whatever they hold leads to an [`lcrs_core::Error`], never to a panic,
//! an endless loop or an allocation beyond [`lcrs_core::Limits`].
//!
//! The package format, the coding graph and the digests are specified below, the container in the documentation of
//! `lcrs-format`.
#![doc = "\n# Specification\n"]
#![doc = include_str!("../README.md")]

mod analysis;
mod blame;
mod compress;
mod container;
mod decompress;
mod digest_text;
mod environment;
mod foreign;
mod graph;
mod info;
mod latents;
mod lossless;
mod metadata;
mod networks;
mod package;
mod per_simd;
mod picture;
mod points;
mod quality;
mod reading;
mod runner;
mod samples;
mod search;
mod target;
mod tensors;
mod transcode;

pub use compress::{compress, compress_latent, CompressOptions};
pub use decompress::{decompress, decompress_latent, metadata, DecodedLatent, DecompressOptions};
pub use environment::runtime_from_env;
pub use foreign::{read_not_portable, write_not_portable, ForeignModel};
pub use graph::Graph;
pub use info::{bytes_needed, info, Info, SectionInfo};
pub use lcrs_format::LOSSLESS;
pub use lossless::{compress_lossless, decompress_lossless, lossless_if_no_larger};
pub use metadata::{Cicp, PictureMetadata};
pub use package::{package_digests, Digests, Package, PackageSummary};
pub use picture::{Layout, Picture};
pub use points::{
    compress_cloud, decompress_cloud, CloudOptions, CloudPackage, CompressedCloud, PointCloud, Resolution, Values,
};
pub use quality::{level_of, level_of_quality};
pub use reading::{read, ReadError};
pub use search::{Search, Target};
pub use target::{compress_to_target, Targeted};
pub use tensors::{TensorData, TensorView, Tensors};
pub use transcode::{latents_of_strings, transcode, GivenLatents, PictureWindow};

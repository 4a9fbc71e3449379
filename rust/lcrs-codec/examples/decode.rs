//! A whole decoder: `cargo run --release --example decode -- MODEL.lcrm IN.lcrs OUT.ppm`.
//!
//! The file may come from anywhere; what it may ask for is bounded, and everything that is wrong with it is an error.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use lcrs_codec::{decompress, info, DecompressOptions, Package};
use lcrs_core::{Limits, Runtime, Simd};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, input, output] = arguments.as_slice() else {
        return Err("usage: decode MODEL.lcrm IN.lcrs OUT.ppm".into());
    };

    // At most 16 megapixels, and 512 MB for the call, whatever the file says.
    let mut limits = Limits::default();
    limits.max_pixels = 16 << 20;
    limits.max_bytes = 512 << 20;
    // Made once, and used for any number of files.
    let runtime = Runtime::new(Simd::detect(), 2)?;
    let package = Package::from_file(Path::new(model), &limits)?;

    let data = fs::read(input)?;
    let about = info(&data, &limits)?;
    if about.samples.channels() != 3 || about.samples.number().num_bytes() != 1 {
        return Err(format!("{input} holds no 8-bit colour picture").into());
    }
    let picture = decompress(&package, &data, &DecompressOptions::default(), &runtime, &limits)?;

    let mut ppm = format!("P6\n{} {}\n255\n", picture.width(), picture.height()).into_bytes();
    ppm.extend_from_slice(picture.data());
    fs::write(output, ppm)?;
    Ok(())
}

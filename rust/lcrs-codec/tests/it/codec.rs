//! Pictures through files: the same bytes and pixels everywhere, every size, and the rate that was asked for.

use crate::common::{factorized, hyperprior, limits, picture, runtimes, variable_rate, Model};
use half::f16;
use lcrs_codec::{
    compress, decompress, info, metadata, read_not_portable, write_not_portable, Cicp, CompressOptions,
    DecompressOptions, ForeignModel, Layout, Package, Picture, PictureMetadata, TensorData, TensorView,
};
use lcrs_core::rans::StreamKind;
use lcrs_core::{ErrorKind, Limits, Runtime};
use lcrs_format::{Color, Samples};

const GREY12: Samples = Samples::Picture { color: Color::Grey, bit_depth: 12 };

fn options(package: &Package, quality: f64) -> CompressOptions {
    CompressOptions { quality: package.levels().map(|_| quality), ..CompressOptions::default() }
}

fn encode(package: &Package, picture: &Picture, quality: f64) -> Vec<u8> {
    compress(package, picture, &options(package, quality), &Runtime::serial(), &limits()).unwrap()
}

fn decode(package: &Package, data: &[u8]) -> Picture {
    decompress(package, data, &DecompressOptions::default(), &Runtime::serial(), &limits()).unwrap()
}

fn models() -> [Model; 3] {
    [factorized(), hyperprior(), variable_rate()]
}

#[test]
fn bytes_and_pixels_are_the_same_on_every_path_and_thread_count() {
    let picture = picture(53, 37, 1);
    for model in models() {
        let package = model.package();
        let file = encode(&package, &picture, 40.0);
        let pixels = decode(&package, &file);
        for rt in runtimes() {
            let again = compress(&package, &picture, &options(&package, 40.0), &rt, &limits()).unwrap();
            assert_eq!(again, file, "{} on {rt:?}", package.name());
            let again = decompress(&package, &file, &DecompressOptions::default(), &rt, &limits()).unwrap();
            assert_eq!(again, pixels, "{} on {rt:?}", package.name());
        }
    }
}

#[test]
fn every_size_from_one_pixel_up_keeps_its_size() {
    for model in models() {
        let package = model.package();
        for (width, height) in [(1, 1), (1, 2), (7, 8), (8, 8), (9, 1), (16, 17), (37, 53)] {
            let original = picture(width, height, 2);
            let restored = decode(&package, &encode(&package, &original, 100.0));
            assert_eq!((restored.width(), restored.height()), (width, height), "{}", package.name());
        }
    }
}

/// The file must hold what the model made: decoding gives the same as rounding without any entropy coder.
#[test]
fn the_two_stream_kinds_decode_to_the_same_pixels() {
    let picture = picture(45, 31, 3);
    for model in models() {
        let package = model.package();
        let files = StreamKind::ALL.map(|kind| {
            let options = CompressOptions { kind, ..options(&package, 70.0) };
            compress(&package, &picture, &options, &Runtime::serial(), &limits()).unwrap()
        });
        assert_ne!(files[0], files[1]);
        assert_eq!(decode(&package, &files[0]), decode(&package, &files[1]));
        for (file, kind) in files.iter().zip(StreamKind::ALL) {
            assert!(info(file, &limits()).unwrap().sections.iter().all(|section| section.kind == kind.name()));
        }
    }
}

#[test]
fn quality_sets_the_rate_continuously() {
    let package = variable_rate().package();
    let picture = picture(64, 48, 4);
    let sizes: Vec<usize> =
        [0.0, 12.5, 33.0, 50.0, 66.6, 90.0, 100.0].iter().map(|q| encode(&package, &picture, *q).len()).collect();
    assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
    let file = encode(&package, &picture, 33.3);
    assert_eq!(info(&file, &limits()).unwrap().quality, Some(33.3));
    assert_eq!(encode(&package, &picture, 1e-300), encode(&package, &picture, 0.0));
}

#[test]
fn qualities_are_checked() {
    let picture = picture(8, 8, 5);
    let kind = |package: &Package, quality| {
        let options = CompressOptions { quality, ..CompressOptions::default() };
        compress(package, &picture, &options, &Runtime::serial(), &limits()).unwrap_err().kind()
    };
    let package = variable_rate().package();
    for quality in [None, Some(-0.1), Some(100.1), Some(f64::NAN), Some(f64::INFINITY)] {
        assert_eq!(kind(&package, quality), ErrorKind::InvalidArgument, "{quality:?}");
    }
    assert_eq!(kind(&hyperprior().package(), Some(50.0)), ErrorKind::InvalidArgument);
}

#[test]
fn info_tells_what_is_in_the_file() {
    let package = variable_rate().package();
    let mut options = options(&package, 25.0);
    options.metadata = PictureMetadata {
        icc: Some(vec![1, 2, 3]),
        exif: Some(b"II*\0".to_vec()),
        xmp: Some(b"<x/>".to_vec()),
        iptc: Some(vec![0x1C, 2]),
        resolution: Some((300.0, 72.5)),
        cicp: Some(Cicp { primaries: 12, transfer: 13, matrix: 0, is_full_range: true }),
        gamma: Some(45_455),
        chromaticities: Some([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]),
    };
    let file = compress(&package, &picture(33, 21, 6), &options, &Runtime::serial(), &limits()).unwrap();
    let info = info(&file, &limits()).unwrap();
    assert_eq!((info.num_bytes, info.width, info.height), (file.len(), 33, 21));
    assert_eq!((info.model.as_str(), info.quality, info.format_version), ("tiny-rate", Some(25.0), 1));
    assert_eq!(info.entropy_digest, package.digests().entropy_hex()[..16]);
    assert_eq!(info.synthesis_digest, package.digests().synthesis_hex()[..16]);
    assert_eq!((info.portable, info.numerics, info.samples), (true, "f32-fma/1", Samples::RGB8));
    assert_eq!((info.num_icc_bytes, info.num_exif_bytes), (Some(3), Some(4)));
    assert_eq!((info.num_xmp_bytes, info.num_iptc_bytes, info.gamma), (Some(4), Some(2), Some(45_455)));
    assert_eq!((info.resolution, info.cicp), (Some((300.0, 72.5)), Some((12, 13, 0, true))));
    assert_eq!(info.chromaticities, options.metadata.chromaticities);
    let payload: usize = info.sections.iter().map(|section| section.num_bytes).sum();
    assert_eq!(info.num_bytes, info.num_header_bytes + payload + 13);
    assert_eq!(metadata(&file, &limits()).unwrap(), options.metadata);
    let json: serde_json::Value = serde_json::from_str(&info.to_json()).unwrap();
    assert_eq!((&json["num_bytes"], &json["quality"]), (&file.len().into(), &25.0.into()));
    assert_eq!((&json["resolution"][1], &json["cicp"][3]), (&72.5.into(), &true.into()));
}

#[test]
fn half_precision_weights_are_widened_exactly() {
    let (mut half, mut single) = (hyperprior(), hyperprior());
    for (name, tensor) in &hyperprior().weights.tensors {
        if let TensorData::F32(numbers) = tensor.data() {
            let halves: Vec<f16> = numbers.iter().map(|number| f16::from_f32(*number)).collect();
            single.weights.f32(name, tensor.shape(), halves.iter().map(|number| number.to_f32()).collect());
            let tensor = TensorView::new(tensor.shape().to_vec(), TensorData::F16(halves.into())).unwrap();
            half.weights.tensors.insert(name.clone(), tensor);
        }
    }
    assert!(half.to_bytes().len() < single.to_bytes().len() * 3 / 4);
    let (half, single) = (half.package(), single.package());
    assert_ne!(half.digests(), single.digests(), "digests are of what is stored");
    let picture = picture(30, 22, 10);
    let (a, b) = (encode(&half, &picture, 0.0), encode(&single, &picture, 0.0));
    assert_eq!(decode(&half, &a), decode(&single, &b));
}

#[test]
fn another_model_is_refused() {
    let (package, picture) = (hyperprior().package(), picture(20, 20, 7));
    let file = encode(&package, &picture, 0.0);
    let run = |model: Model, allow_other_synthesis| {
        let options = DecompressOptions { allow_other_synthesis };
        decompress(&model.package(), &file, &options, &Runtime::serial(), &limits())
    };
    assert_eq!(run(factorized(), true).unwrap_err().kind(), ErrorKind::MissingModel);

    let mut other_pixels = hyperprior();
    other_pixels.weights.random("g_s.1.bias", &[32], 0.0, 0.2);
    assert_eq!(run(other_pixels.clone(), false).unwrap_err().kind(), ErrorKind::MissingModel);
    assert_ne!(run(other_pixels, true).unwrap(), decode(&package, &file));

    let mut other_symbols = hyperprior();
    other_symbols.weights.random("h_s.2.bias", &[16], 0.0, 0.2);
    assert_eq!(run(other_symbols, true).unwrap_err().kind(), ErrorKind::MissingModel);

    let mut other_encoder = hyperprior();
    other_encoder.weights.random("h_a.1.bias", &[8], 0.0, 0.2);
    assert_eq!(run(other_encoder, false).unwrap(), decode(&package, &file), "only decoders decide");
}

/// With little memory the networks run in strips of a few rows; only the picture, of 810,000 bytes, and the largest latent with
/// its parameters must fit.
#[test]
fn memory_changes_neither_bytes_nor_pixels() {
    let picture = picture(600, 450, 9);
    for model in models() {
        let package = model.package();
        let file = encode(&package, &picture, 80.0);
        let pixels = decode(&package, &file);
        let mut limits = Limits::default();
        limits.max_bytes = 2_000_000;
        let rt = Runtime::serial();
        let again = compress(&package, &picture, &options(&package, 80.0), &rt, &limits).unwrap();
        assert_eq!(again, file, "{}", package.name());
        let again = decompress(&package, &file, &DecompressOptions::default(), &rt, &limits).unwrap();
        assert_eq!(again, pixels, "{}", package.name());
    }
}

#[test]
fn limits_hold_for_both_directions() {
    let package = hyperprior().package();
    let picture = picture(40, 30, 8);
    let file = encode(&package, &picture, 0.0);
    let mut narrow = Limits::default();
    narrow.max_pixels = 1199;
    let mut short = Limits::default();
    short.max_bytes = 2_000;
    for limits in [narrow, short] {
        let rt = Runtime::serial();
        let error = compress(&package, &picture, &options(&package, 0.0), &rt, &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        let error = decompress(&package, &file, &DecompressOptions::default(), &rt, &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
}

#[test]
fn what_other_programs_code_is_carried_as_it_is() {
    let model = ForeignModel { name: "theirs", entropy_digest: [1; 8], synthesis_digest: [2; 8] };
    let metadata = PictureMetadata { exif: Some(vec![7; 9]), gamma: Some(45_455), ..PictureMetadata::default() };
    let layout = Layout { has_channel_axis: false, samples: GREY12, ..Layout::rgb8(33, 26) };
    let sections: [&[u8]; 3] = [b"{}", b"", &[9; 1000]];
    let write = |layout, sections: &[&[u8]], limits: &Limits| {
        write_not_portable(&model, layout, sections, StreamKind::Ans, &metadata, limits)
    };
    let file = write(&layout, &sections, &limits()).unwrap();
    assert_eq!(read_not_portable(&file, &limits()).unwrap(), sections);
    assert_eq!(lcrs_codec::metadata(&file, &limits()).unwrap(), metadata);
    let said = info(&file, &limits()).unwrap();
    assert_eq!((said.portable, said.width, said.height, said.samples), (false, 33, 26, GREY12));
    assert_eq!((said.model.as_str(), said.entropy_digest.as_str()), ("theirs", "0101010101010101"));
    assert!(said.sections.iter().map(|section| section.kind).eq(["ans"; 3]));

    let many = vec![&b""[..]; 129];
    assert_eq!(write(&layout, &many, &limits()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(write(&layout, &many[..128], &limits()).is_ok());
    let mut small = limits();
    small.max_pixels = 100;
    assert_eq!(write(&layout, &sections, &small).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(read_not_portable(&file, &small).unwrap_err().kind(), ErrorKind::Limit);
    for length in 0..file.len() {
        assert_eq!(read_not_portable(&file[..length], &limits()).unwrap_err().kind(), ErrorKind::Truncated);
    }
    let package = factorized().package();
    let portable =
        compress(&package, &picture(33, 26, 9), &CompressOptions::default(), &Runtime::serial(), &limits()).unwrap();
    assert_eq!(read_not_portable(&portable, &limits()).unwrap_err().kind(), ErrorKind::Corrupt);
}

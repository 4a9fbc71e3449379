#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lcrs_fuzz::lossless(data));

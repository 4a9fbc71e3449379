//! Times the scans of a latent in groups of channels: `groups HEIGHT WIDTH THREADS REPEATS`, sides of the latent, 32 x 48
//! for a picture of 768 x 512. Answers with least and median milliseconds of encoding and decoding by the wall clock, and the
//! least of processor time of all threads, with networks and without. `LCRS_SIMD` chooses the path.
#![allow(clippy::print_stdout)] // it answers there

use std::time::{Duration, Instant};

use lcrs_benches::GroupedLatent;
use lcrs_core::{Error, Result, Runtime, Simd};
use rustix::time::{clock_gettime, ClockId};

fn main() -> Result<()> {
    let simd = std::env::var("LCRS_SIMD").map_or(Ok(Simd::detect()), |name| Simd::from_name(&name))?;
    let words: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [height, width, threads, repeats] = words[..] else {
        return Err(Error::invalid("usage: groups HEIGHT WIDTH THREADS REPEATS"));
    };
    let rt = Runtime::new(simd, threads)?;
    for (name, boards) in [("checkerboards", true), ("no networks", false)] {
        let work = GroupedLatent::new(simd, boards, height, width)?;
        let data = work.encode(&rt)?;
        let encode = times(repeats, || work.encode(&rt).map(drop))?;
        let decode = times(repeats, || work.decode(&rt, &data).map(drop))?;
        let bits = data.len() as f64 * 8.0 / (height * width * 256) as f64;
        println!("{name}: encode {} ms, decode {} ms; {} bytes, {bits:.2} bits a symbol", encode, decode, data.len());
    }
    Ok(())
}

/// The least and the median.
fn times(repeats: usize, mut job: impl FnMut() -> Result<()>) -> Result<String> {
    let (mut times, mut processor) = (Vec::new(), f64::INFINITY);
    for _ in 0..repeats.max(1) {
        let (start, before) = (Instant::now(), processor_time());
        job()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        processor = processor.min((processor_time() - before).as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(format!("{:.1} / {:.1} (processor {processor:.1})", times[0], times[times.len() / 2]))
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

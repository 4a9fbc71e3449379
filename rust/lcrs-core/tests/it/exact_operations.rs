//! Normalisation, functions and layout operations against their definitions, on every path.

use crate::reference::{bits, values};
use lcrs_core::exact::{
    concat, crop, math, pad_replicate, pixel_shuffle, pixel_unshuffle, slice, Binary, Gdn, GdnKind, Tensor, Unary,
};
use lcrs_core::{Limits, Runtime, Simd};

fn runtimes() -> impl Iterator<Item = Runtime> {
    let paths = Simd::available().into_iter();
    paths.flat_map(|simd| [1, 3].map(|threads| Runtime::new(simd, threads).unwrap()))
}

fn tensor(seed: u64, channels: usize, height: usize, width: usize) -> Tensor {
    Tensor::from_vec(channels, height, width, values(seed, channels * height * width)).unwrap()
}

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn normalisation_is_the_written_formula() {
    for (channels, height, width) in [(1, 1, 1), (5, 3, 4), (33, 7, 9), (48, 20, 31)] {
        let beta: Vec<f32> = values(1, channels).iter().map(|v| v.abs() + 1e-6).collect();
        let gamma: Vec<f32> = values(2, channels * channels).iter().map(|v| v.abs() * 0.1).collect();
        let mut x = tensor(3, channels, height, width);
        x.data_mut()[0] = 3e38; // its square is infinite
        for (kind, inverse) in [(GdnKind::L2, false), (GdnKind::L2, true), (GdnKind::L1, false), (GdnKind::L1, true)] {
            let mut want = vec![];
            for pixel in x.data().chunks(channels) {
                let power = |v: f32| if kind == GdnKind::L2 { (v * v).min(f32::MAX) } else { v.abs() };
                for (o, &v) in pixel.iter().enumerate() {
                    let row = &gamma[o * channels..][..channels];
                    let n = pixel.iter().zip(row).fold(beta[o], |n, (&p, &g)| power(p).mul_add(g, n));
                    let n = if kind == GdnKind::L2 { n.sqrt() } else { n };
                    want.push(if inverse { v * n } else { v / n }.to_bits());
                }
            }
            for rt in runtimes() {
                let gdn = Gdn::new(rt.simd, &beta, &gamma, inverse, kind).unwrap();
                let got = gdn.run(&rt, &limits(), &x).unwrap();
                assert_eq!(bits(&got), want, "{kind:?} inverse {inverse} on {}", rt.simd.name());
            }
        }
    }
}

#[test]
fn illegal_normalisation_parameters_are_refused() {
    let new = |beta: &[f32], gamma: &[f32]| Gdn::new(Simd::Scalar, beta, gamma, false, GdnKind::L2).map(|_| ());
    assert!(new(&[1.0, 1.0], &[0.0; 4]).is_ok());
    assert!(new(&[1.0, 0.0], &[0.0; 4]).unwrap_err().message().contains("beta is 0 at channel 1"));
    assert!(new(&[1.0, 1.0], &[0.0, 0.0, -1.0, 0.0]).unwrap_err().message().contains("gamma is -1 at element 2"));
    assert!(new(&[1.0], &[f32::NAN]).unwrap_err().message().contains("gamma is NaN"));
    assert!(new(&[1.0, 1.0], &[0.0; 3]).is_err());
    assert!(new(&[], &[]).is_err());
}

#[test]
fn functions_of_one_number() {
    let x = tensor(5, 3, 40, 41);
    let wide = |f: fn(f64) -> f64| move |v: f32| f(f64::from(v)) as f32;
    type Definition = Box<dyn Fn(f32) -> f32>;
    let cases: Vec<(Unary, Definition)> = vec![
        (Unary::Relu, Box::new(|v: f32| if v > 0.0 { v } else { 0.0 })),
        (Unary::LeakyRelu(0.01), Box::new(|v: f32| if v < 0.0 { v * 0.01 } else { v })),
        (Unary::Abs, Box::new(f32::abs)),
        (Unary::Sigmoid, Box::new(wide(math::sigmoid))),
        (Unary::Softplus, Box::new(wide(math::softplus))),
        (Unary::Exp, Box::new(wide(math::exp))),
        (Unary::Tanh, Box::new(wide(math::tanh))),
        (Unary::Clamp { min: Some(-0.5), max: Some(0.25) }, Box::new(|v: f32| v.clamp(-0.5, 0.25))),
        (Unary::Clamp { min: Some(0.1), max: None }, Box::new(|v: f32| if v < 0.1 { 0.1 } else { v })),
        (Unary::AddScalar(0.3), Box::new(|v: f32| v + 0.3)),
        (Unary::MulScalar(-7.0), Box::new(|v: f32| v * -7.0)),
    ];
    for rt in runtimes() {
        for (function, definition) in &cases {
            let mut y = x.clone();
            function.apply(&rt, &mut y).unwrap();
            let want: Vec<u32> = x.data().iter().map(|&v| definition(v).to_bits()).collect();
            assert_eq!(bits(&y), want, "{function:?}");
        }
    }
}

#[test]
fn functions_of_two_numbers_broadcast_vectors() {
    let (a, b, v) = (tensor(6, 5, 30, 121), tensor(7, 5, 30, 121), tensor(8, 5, 1, 1));
    for rt in runtimes() {
        for (function, f) in [
            (Binary::Add, (|a, b| a + b) as fn(f32, f32) -> f32),
            (Binary::Sub, |a, b| a - b),
            (Binary::Mul, |a, b| a * b),
        ] {
            let run = |a: &Tensor, b: &Tensor| bits(&function.run(&rt, &limits(), a, b).unwrap());
            let want = |f: &dyn Fn(usize) -> f32| (0..a.data().len()).map(|i| f(i).to_bits()).collect::<Vec<_>>();
            assert_eq!(run(&a, &b), want(&|i| f(a.data()[i], b.data()[i])), "{function:?}");
            assert_eq!(run(&a, &v), want(&|i| f(a.data()[i], v.data()[i % 5])), "{function:?} vector");
            assert_eq!(run(&v, &a), want(&|i| f(v.data()[i % 5], a.data()[i])), "{function:?} vector first");
        }
    }
    let rt = Runtime::serial();
    let error = Binary::Add.run(&rt, &limits(), &a, &tensor(9, 5, 30, 120)).unwrap_err();
    assert!(error.message().contains("(5, 30, 121) and (5, 30, 120)"), "{error}");
}

#[test]
fn layout_operations_move_the_right_elements() {
    let rt = Runtime::new(Simd::detect(), 3).unwrap();
    let x = tensor(10, 12, 6, 10);
    let at = |t: &Tensor, c: usize, y: usize, x: usize| t.pixel(y, x)[c];
    let shuffled = pixel_shuffle(&rt, &limits(), &x, 2).unwrap();
    assert_eq!(shuffled.shape(), (3, 12, 20));
    let parts = (slice(&limits(), &x, 2, 5).unwrap(), tensor(11, 4, 6, 10));
    let joined = concat(&limits(), &[&parts.0, &parts.1, &parts.0]).unwrap();
    let (small, large) = (crop(&limits(), &x, 4, 7).unwrap(), pad_replicate(&limits(), &x, 9, 13).unwrap());
    for (c, y, column) in (0..12).flat_map(|c| (0..6).flat_map(move |y| (0..10).map(move |x| (c, y, x)))) {
        let value = at(&x, c, y, column);
        assert_eq!(at(&shuffled, c / 4, 2 * y + c % 4 / 2, 2 * column + c % 2), value);
        if (2..7).contains(&c) {
            assert_eq!(at(&parts.0, c - 2, y, column), value);
            assert_eq!([at(&joined, c - 2, y, column), at(&joined, c + 7, y, column)], [value; 2]);
        }
        if c < 4 {
            assert_eq!(at(&joined, c + 5, y, column), at(&parts.1, c, y, column));
        }
        if y < 4 && column < 7 {
            assert_eq!(at(&small, c, y, column), value);
        }
    }
    for (c, y, column) in (0..12).flat_map(|c| (0..9).flat_map(move |y| (0..13).map(move |x| (c, y, x)))) {
        assert_eq!(at(&large, c, y, column), at(&x, c, y.min(5), column.min(9)));
    }
    assert_eq!(pixel_unshuffle(&rt, &limits(), &shuffled, 2).unwrap(), x);
    assert_eq!(Tensor::from_nchw(12, 6, 10, &x.to_nchw().unwrap(), &limits()).unwrap(), x);
}

#[test]
fn layout_operations_refuse_what_does_not_fit() {
    let rt = Runtime::serial();
    let x = tensor(12, 6, 4, 5);
    assert!(pixel_shuffle(&rt, &limits(), &x, 2).unwrap_err().message().contains("6 channels"));
    assert!(pixel_shuffle(&rt, &limits(), &x, 0).is_err());
    assert!(pixel_unshuffle(&rt, &limits(), &x, 2).unwrap_err().message().contains("4 x 5"));
    assert!(slice(&limits(), &x, 4, 3).unwrap_err().message().contains("0..6"));
    assert!(slice(&limits(), &x, usize::MAX, 2).is_err());
    assert!(concat(&limits(), &[]).is_err());
    assert!(concat(&limits(), &[&x, &tensor(13, 6, 4, 6)]).is_err());
    assert!(crop(&limits(), &x, 5, 5).is_err());
    assert!(pad_replicate(&limits(), &x, 3, 5).is_err());
    let mut tight = limits();
    tight.max_bytes = 100;
    assert!(slice(&tight, &x, 0, 6).unwrap_err().message().contains("at most 100"));
}

/// Outputs are made of memory that earlier tensors gave back: nothing of those may shine through.
#[test]
fn recycled_memory_does_not_show() {
    let rt = Runtime::serial();
    let x = tensor(14, 8, 30, 40);
    let fresh = Binary::Mul.run(&Runtime::serial(), &limits(), &x, &x).unwrap();
    for _ in 0..3 {
        drop(Binary::Add.run(&rt, &limits(), &x, &x).unwrap());
        let mut again = Binary::Mul.run(&rt, &limits(), &x, &x).unwrap();
        assert_eq!(bits(&again), bits(&fresh));
        again.data_mut().fill(f32::NAN);
    }
}

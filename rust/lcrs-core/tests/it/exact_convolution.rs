//! Convolutions on every path against the definition, bit for bit.

use crate::reference::{self, bits, naive_conv, naive_conv_transpose, values, Layer};
use lcrs_core::exact::{Conv2d, ConvTranspose2d, Tensor};
use lcrs_core::{ErrorKind, Limits, Runtime, Simd};
use proptest::prelude::*;

fn runtimes() -> impl Iterator<Item = Runtime> {
    let paths = Simd::available().into_iter();
    paths.flat_map(|simd| [1, 3].map(|threads| Runtime::new(simd, threads).expect("threads start")))
}

fn layers() -> impl Strategy<Value = (Layer, usize, usize, u64)> {
    let groups = prop_oneof![4 => Just(1_usize), 1 => 2..4_usize, 2 => 5..40_usize];
    let channels = prop_oneof![3 => 1..5_usize, 1 => 5..40_usize];
    (
        groups,
        channels.clone(),
        channels,
        [1..6_usize, 1..6],
        [1..4_usize, 1..4],
        [0..4_usize, 0..4],
        any::<bool>(),
        any::<u64>(),
    )
        .prop_flat_map(|(groups, i, o, kernel, stride, padding, bias, seed)| {
            let small = if groups > 4 { (1 + i % 2, 1 + o % 2) } else { (i, o) };
            let layer = Layer {
                groups,
                group_in: small.0,
                group_out: small.1,
                kernel,
                stride,
                padding,
                output_padding: [0; 2],
                bias,
            };
            let least = |d: usize| kernel[d].saturating_sub(2 * padding[d]).max(1);
            (Just(layer), least(0)..least(0) + 14, least(1)..least(1) + 30, Just(seed))
        })
}

proptest! {
    #![proptest_config(reference::cases(250))]

    #[test]
    fn convolution_is_the_written_chain((layer, height, width, seed) in layers()) {
        let (weight, bias) = layer.parameters(seed, layer.group_in);
        let x = Tensor::from_vec(layer.in_channels(), height, width, values(seed ^ 1, layer.in_channels() * height * width)).unwrap();
        let want = naive_conv(&layer, &weight, bias.as_deref(), &x);
        for rt in runtimes() {
            let shape = [layer.out_channels(), layer.group_in, layer.kernel[0], layer.kernel[1]];
            let conv = Conv2d::new(rt.simd, &weight, shape, bias.as_deref(), layer.stride, layer.padding, layer.groups).unwrap();
            let got = conv.run(&rt, &Limits::default(), &x).unwrap();
            prop_assert_eq!(got.shape(), want.shape());
            prop_assert_eq!(bits(&got), bits(&want), "{:?} on {}", layer, rt.simd.name());
        }
    }

    #[test]
    fn transposed_convolution_is_the_written_chain((mut layer, height, width, seed) in layers()) {
        layer.output_padding = [0, 1].map(|d| (seed >> (7 + d)) as usize % layer.stride[d]);
        let (weight, bias) = layer.parameters(seed, layer.group_in);
        let x = Tensor::from_vec(layer.in_channels(), height, width, values(seed ^ 1, layer.in_channels() * height * width)).unwrap();
        let side = |d: usize, n: usize| (n - 1) * layer.stride[d] + layer.kernel[d] + layer.output_padding[d];
        prop_assume!(side(0, height) > 2 * layer.padding[0] && side(1, width) > 2 * layer.padding[1]);
        let want = naive_conv_transpose(&layer, &weight, bias.as_deref(), &x);
        for rt in runtimes() {
            let shape = [layer.in_channels(), layer.group_out, layer.kernel[0], layer.kernel[1]];
            let conv = ConvTranspose2d::new(
                rt.simd, &weight, shape, bias.as_deref(), layer.stride, layer.padding, layer.output_padding, layer.groups,
            ).unwrap();
            let got = conv.run(&rt, &Limits::default(), &x).unwrap();
            prop_assert_eq!(got.shape(), want.shape());
            prop_assert_eq!(bits(&got), bits(&want), "{:?} on {}", layer, rt.simd.name());
        }
    }
}

proptest! {
    #![proptest_config(reference::cases(150))]

    /// Taps so many inputs apart are those of a larger kernel with zeros between them.
    #[test]
    fn dilated_convolution_is_that_of_a_kernel_with_zeros(
        (layer, height, width, seed) in layers(),
        dilation in [1..5_usize, 1..5],
    ) {
        let (weight, bias) = layer.parameters(seed, layer.group_in);
        let kernel = [0, 1].map(|d| (layer.kernel[d] - 1) * dilation[d] + 1);
        let (height, width) = (height + kernel[0], width + kernel[1]);
        let x = Tensor::from_vec(layer.in_channels(), height, width, values(seed ^ 1, layer.in_channels() * height * width)).unwrap();
        let mut large = vec![0.0; layer.out_channels() * layer.group_in * kernel[0] * kernel[1]];
        for (i, w) in weight.iter().enumerate() {
            let (plane, tap) = (i / (layer.kernel[0] * layer.kernel[1]), i % (layer.kernel[0] * layer.kernel[1]));
            let (ky, kx) = (tap / layer.kernel[1] * dilation[0], tap % layer.kernel[1] * dilation[1]);
            large[(plane * kernel[0] + ky) * kernel[1] + kx] = *w;
        }
        let want = naive_conv(&Layer { kernel, ..layer }, &large, bias.as_deref(), &x);
        for rt in runtimes() {
            let shape = [layer.out_channels(), layer.group_in, layer.kernel[0], layer.kernel[1]];
            let conv = Conv2d::new(rt.simd, &weight, shape, bias.as_deref(), layer.stride, layer.padding, layer.groups);
            let got = conv.and_then(|conv| conv.dilated(dilation)).unwrap().run(&rt, &Limits::default(), &x).unwrap();
            prop_assert_eq!(got.shape(), want.shape());
            prop_assert_eq!(bits(&got), bits(&want), "{:?} {:?} on {}", layer, dilation, rt.simd.name());
        }
    }
}

/// Pictures so wide that rows are cut into tiles, whose inputs are copied at the borders only.
#[test]
fn wide_pictures_are_the_written_chain() {
    for (kernel, stride, padding) in [([3, 3], [1, 1], [1, 1]), ([5, 5], [2, 2], [2, 2]), ([2, 7], [1, 3], [0, 5])] {
        let output_padding = [stride[0] - 1, stride[1] - 1];
        for (groups, group_in, group_out) in [(1, 3, 5), (1, 40, 33), (37, 1, 1), (2, 3, 2)] {
            let layer = Layer { groups, group_in, group_out, kernel, stride, padding, output_padding, bias: true };
            let (weight, bias) = layer.parameters(5, layer.group_in);
            let (height, width) = (6, 260);
            let len = layer.in_channels() * height * width;
            let x = Tensor::from_vec(layer.in_channels(), height, width, values(4, len)).unwrap();
            let want = naive_conv(&layer, &weight, bias.as_deref(), &x);
            let transposed = naive_conv_transpose(&layer, &weight, bias.as_deref(), &x);
            let [kh, kw] = kernel;
            for rt in runtimes() {
                let shape = [layer.out_channels(), group_in, kh, kw];
                let conv = Conv2d::new(rt.simd, &weight, shape, bias.as_deref(), stride, padding, groups).unwrap();
                assert_eq!(bits(&conv.run(&rt, &Limits::default(), &x).unwrap()), bits(&want), "{layer:?}");
                let shape = [layer.in_channels(), group_out, kh, kw];
                let bias = bias.as_deref();
                let conv = ConvTranspose2d::new(rt.simd, &weight, shape, bias, stride, padding, output_padding, groups)
                    .unwrap();
                assert_eq!(bits(&conv.run(&rt, &Limits::default(), &x).unwrap()), bits(&transposed), "{layer:?}");
            }
        }
    }
}

/// Channel counts of real models, which random small layers do not reach.
#[test]
fn wide_layers_are_the_written_chain() {
    let dense = |i, o, k: usize, s: usize, p: usize| Layer {
        groups: 1,
        group_in: i,
        group_out: o,
        kernel: [k; 2],
        stride: [s; 2],
        padding: [p; 2],
        output_padding: [s - 1; 2],
        bias: true,
    };
    let depthwise = |c| Layer { groups: c, group_in: 1, group_out: 1, ..dense(1, 1, 3, 1, 1) };
    // few outputs: transposed convolutions do all phases at once
    let narrow = Layer { stride: [2, 3], padding: [1, 2], output_padding: [0, 1], ..dense(40, 3, 5, 2, 2) };
    let flat = Layer { kernel: [1, 2], padding: [0, 0], ..dense(20, 2, 1, 2, 0) };
    for layer in [
        narrow,
        flat,
        dense(9, 3, 5, 2, 2),
        dense(48, 64, 1, 1, 0),
        dense(64, 48, 1, 1, 0),
        dense(33, 97, 3, 1, 1),
        dense(70, 80, 5, 2, 2),
        depthwise(100),
    ] {
        let (weight, bias) = layer.parameters(9, layer.group_in);
        let x = Tensor::from_vec(layer.in_channels(), 9, 13, values(4, layer.in_channels() * 9 * 13)).unwrap();
        let want = naive_conv(&layer, &weight, bias.as_deref(), &x);
        let transposed = naive_conv_transpose(&layer, &weight, bias.as_deref(), &x);
        let [kh, kw] = layer.kernel;
        for rt in runtimes() {
            let shape = [layer.out_channels(), layer.group_in, kh, kw];
            let conv = Conv2d::new(rt.simd, &weight, shape, bias.as_deref(), layer.stride, layer.padding, layer.groups)
                .unwrap();
            assert_eq!(
                bits(&conv.run(&rt, &Limits::default(), &x).unwrap()),
                bits(&want),
                "{layer:?} on {}",
                rt.simd.name()
            );
            let shape = [layer.in_channels(), layer.group_out, kh, kw];
            let conv = ConvTranspose2d::new(
                rt.simd,
                &weight,
                shape,
                bias.as_deref(),
                layer.stride,
                layer.padding,
                layer.output_padding,
                layer.groups,
            )
            .unwrap();
            assert_eq!(
                bits(&conv.run(&rt, &Limits::default(), &x).unwrap()),
                bits(&transposed),
                "{layer:?} on {}",
                rt.simd.name()
            );
        }
    }
}

#[test]
fn values_that_are_not_finite_are_refused_with_their_place() {
    let conv = |weight: f32, bias: f32| {
        Conv2d::new(Simd::Scalar, &[weight; 4], [2, 2, 1, 1], Some(&[0.0, bias]), [1, 1], [0, 0], 1)
    };
    assert!(conv(f32::NAN, 0.0).unwrap_err().message().contains("weight is NaN at element 0"));
    assert!(conv(1.0, f32::INFINITY).unwrap_err().message().contains("bias is inf at element 1"));
    let layer = conv(1.0, 0.0).unwrap();
    let mut x = Tensor::zeroed(2, 3, 4, &Limits::default()).unwrap();
    x.data_mut()[(2 * 4 + 3) * 2 + 1] = f32::NEG_INFINITY;
    let error = layer.run(&Runtime::serial(), &Limits::default(), &x).unwrap_err();
    assert!(error.message().contains("input is -inf at channel 1, row 2, column 3"), "{error}");
}

#[test]
fn sizes_that_contradict_each_other_are_refused() {
    let new = |len: usize, shape, stride, groups| {
        Conv2d::new(Simd::Scalar, &vec![0.5; len], shape, None, stride, [1, 1], groups)
    };
    assert!(new(9, [1, 1, 3, 3], [1, 1], 1).is_ok());
    assert!(new(8, [1, 1, 3, 3], [1, 1], 1).unwrap_err().message().contains("8 elements"));
    assert!(new(9, [1, 1, 3, 3], [0, 1], 1).unwrap_err().message().contains("stride"));
    assert!(new(9, [1, 1, 3, 3], [1, 1], 0).unwrap_err().message().contains("groups"));
    assert!(new(27, [3, 1, 3, 3], [1, 1], 2).unwrap_err().message().contains("2 groups"));
    assert!(new(0, [0, 1, 3, 3], [1, 1], 1).is_err());
    assert!(new(4, [usize::MAX, 2, usize::MAX, 2], [1, 1], 1).is_err());
    let wide = new(9, [1, 1, 3, 3], [1, 1], 1).unwrap();
    let (rt, limits) = (Runtime::serial(), Limits::default());
    let x = |c, h, w| Tensor::zeroed(c, h, w, &limits).unwrap();
    assert!(wide.run(&rt, &limits, &x(2, 4, 4)).unwrap_err().message().contains("2 channels"));
    assert!(wide.run(&rt, &limits, &x(1, 0, 4)).unwrap_err().message().contains("smaller than the kernel"));
}

/// Products of subnormal size survive on all paths, even when the caller's thread flushes them.
#[test]
#[cfg(target_arch = "x86_64")]
fn flushing_of_subnormals_is_switched_off_and_on_again() {
    let tiny = f32::from_bits(3);
    let x = Tensor::from_vec(1, 8, 40, vec![tiny; 320]).unwrap();
    for rt in runtimes() {
        let conv = Conv2d::new(rt.simd, &[0.5; 9], [1, 1, 3, 3], Some(&[0.0]), [1, 1], [1, 1], 1).unwrap();
        let (out, after) = reference::with_flushing(|| conv.run(&rt, &Limits::default(), &x).unwrap());
        let inner = out.pixel(4, 20)[0];
        // each product is 1.5 units, each sum rounds to even: 2, 4 (3.5), 6 (5.5), 8 (7.5) ...
        assert_eq!(inner.to_bits(), 18, "{}", rt.simd.name());
        assert_eq!(after & 0x8040, 0x8040, "the caller's state must be restored");
    }
}

/// A tall kernel over a wide input would need twenty gigabytes of padded rows at a time.
#[test]
fn kernels_larger_than_memory_are_refused() {
    let (rt, mut limits) = (Runtime::serial(), Limits::default());
    limits.max_bytes = 8 << 20;
    let conv = Conv2d::new(rt.simd, &vec![0.5; 4096 * 64], [1, 64, 4096, 1], None, [1, 1], [4096, 0], 1).unwrap();
    let x = Tensor::zeroed(64, 1, 100, &limits).unwrap();
    let error = conv.run(&rt, &limits, &x).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.message().contains("inputs of 64 channels need"), "{error}");
}

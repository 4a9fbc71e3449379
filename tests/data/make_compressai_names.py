"""Writes compressai-names.json: the names and signatures that CompressAI 1.2.8 offers for pictures and video.

Run where CompressAI is installed. Left out: what a module only imports for itself, and point clouds.
"""

import importlib
import inspect
import json
import warnings
from pathlib import Path

MODULES = {
    "": "available_entropy_coders get_entropy_coder set_entropy_coder",
    "ans": "BufferedRansEncoder RansDecoder RansEncoder",
    "_CXX": "pmf_to_quantized_cdf",
    "ops": "LowerBound NonNegativeParametrizer compute_padding quantize_ste",
    "ops.ops": "compute_padding quantize_ste",
    "ops.bound_ops": "LowerBound LowerBoundFunction lower_bound_bwd lower_bound_fwd",
    "ops.parametrizers": "NonNegativeParametrizer",
    "layers": "AttentionBlock CheckerboardMaskedConv2d GDN GDN1 Gain Interleave Lambda MaskedConv2d "
    "NamedLayer QReLU Reshape ResidualBlock ResidualBlockUpsample ResidualBlockWithStride SpectralConv2d "
    "SpectralConvTranspose2d Transpose conv1x1 conv3x3 sequential_channel_ramp subpel_conv3x3",
    "layers.layers": "AttentionBlock CheckerboardMaskedConv2d MaskedConv2d QReLU ResidualBlock "
    "ResidualBlockUpsample ResidualBlockWithStride SpectralConv2d SpectralConvTranspose2d conv1x1 conv3x3 "
    "sequential_channel_ramp subpel_conv3x3",
    "layers.gdn": "GDN GDN1",
    "layers.basic": "Gain Interleave Lambda NamedLayer Reshape Transpose",
    "entropy_models": "EntropyBottleneck EntropyBottleneckVbr EntropyModel EntropyModelVbr "
    "GaussianConditional GaussianMixtureConditional",
    "entropy_models.entropy_models": "EntropyBottleneck EntropyModel GaussianConditional "
    "GaussianMixtureConditional default_entropy_coder",
    "entropy_models.entropy_models_vbr": "EntropyBottleneckVbr EntropyModelVbr",
    "latent_codecs": "ChannelGroupsLatentCodec CheckerboardLatentCodec EntropyBottleneckLatentCodec "
    "GainHyperLatentCodec GainHyperpriorLatentCodec GaussianConditionalLatentCodec HyperLatentCodec "
    "HyperpriorLatentCodec LatentCodec RasterScanLatentCodec",
    "latent_codecs.base": "LatentCodec",
    "latent_codecs.channel_groups": "ChannelGroupsLatentCodec",
    "latent_codecs.checkerboard": "CheckerboardLatentCodec",
    "latent_codecs.entropy_bottleneck": "EntropyBottleneckLatentCodec",
    "latent_codecs.gaussian_conditional": "GaussianConditionalLatentCodec",
    "latent_codecs.hyper": "HyperLatentCodec",
    "latent_codecs.hyperprior": "HyperpriorLatentCodec",
    "latent_codecs.rasterscan": "RasterScanLatentCodec default_collate raster_scan_compress_single_stream "
    "raster_scan_decompress_single_stream",
    "latent_codecs.gain": "GainHyperLatentCodec GainHyperpriorLatentCodec",
    "latent_codecs.gain.hyper": "GainHyperLatentCodec",
    "latent_codecs.gain.hyperprior": "GainHyperpriorLatentCodec",
    "models": "Cheng2020Anchor Cheng2020AnchorCheckerboard Cheng2020Attention CompressionModel "
    "Elic2022Chandelier Elic2022Official FactorizedPrior FactorizedPriorReLU "
    "JointAutoregressiveHierarchicalPriors JointAutoregressiveHierarchicalPriorsVbr MeanScaleHyperprior "
    "MeanScaleHyperpriorVbr SCALES_LEVELS SCALES_MAX SCALES_MIN ScaleHyperprior ScaleHyperpriorVbr "
    "SimpleVAECompressionModel get_scale_table",
    "models.base": "CompressionModel SCALES_LEVELS SCALES_MAX SCALES_MIN SimpleVAECompressionModel "
    "get_scale_table",
    "models.google": "CompressionModel FactorizedPrior FactorizedPriorReLU "
    "JointAutoregressiveHierarchicalPriors MeanScaleHyperprior SCALES_LEVELS SCALES_MAX SCALES_MIN "
    "ScaleHyperprior conv deconv get_scale_table",
    "models.waseda": "Cheng2020Anchor Cheng2020Attention",
    "models.sensetime": "Cheng2020AnchorCheckerboard Elic2022Chandelier Elic2022Official "
    "ResidualBottleneckBlock",
    "models.vbr": "JointAutoregressiveHierarchicalPriorsVbr MeanScaleHyperpriorVbr ScaleHyperpriorVbr",
    "models.utils": "conv deconv find_named_buffer find_named_module gaussian_blur gaussian_kernel1d "
    "gaussian_kernel2d meshgrid2d remap_old_keys update_registered_buffers",
    "models.video": "ScaleSpaceFlow",
    "models.video.google": "ScaleSpaceFlow",
    "models.priors": "CompressionModel FactorizedPrior FactorizedPriorReLU "
    "JointAutoregressiveHierarchicalPriors MeanScaleHyperprior SCALES_LEVELS SCALES_MAX SCALES_MIN "
    "ScaleHyperprior get_scale_table",
    "losses": "RateDistortionLoss",
    "losses.rate_distortion": "RateDistortionLoss",
    "losses.utils": "compute_rate_loss",
    "optimizers": "net_aux_optimizer net_optimizer",
    "optimizers.net": "net_optimizer",
    "optimizers.net_aux": "net_aux_optimizer",
    "registry": "CRITERIONS DATASETS MODELS MODULES OPTIMIZERS SCHEDULERS TRANSFORMS register_criterion "
    "register_dataset register_model register_module register_optimizer register_scheduler "
    "register_transform",
    "registry.torch": "CRITERIONS DATASETS MODELS MODULES OPTIMIZERS SCHEDULERS register_criterion "
    "register_dataset register_model register_module register_optimizer register_scheduler",
    "registry.transforms": "TRANSFORMS register_transform",
    "registry.torchvision": "TRANSFORMS register_transform",
    "datasets": "ImageFolder PreGeneratedMemmapDataset RawVideoSequence VideoFolder VideoFormat "
    "Vimeo90kDataset",
    "datasets.rawvideo": "RawVideoSequence VideoFormat bitdepth_to_dtype file_extensions "
    "framerate_to_fraction get_num_frms get_raw_video_file_info make_dtype subsampling video_formats",
    "datasets.video": "VideoFolder",
    "datasets.utils": "download_url hash_file",
    "datasets.image": "ImageFolder",
    "datasets.vimeo90k": "Vimeo90kDataset",
    "datasets.pregenerated": "PreGeneratedMemmapDataset",
    "datasets.cache": "CacheDataset",
    "datasets.ndarray": "NdArrayDataset",
    "datasets.stack": "StackDataset",
    "transforms": "RGB2YCbCr YCbCr2RGB YUV420To444 YUV444To420",
    "transforms.functional": "rgb2ycbcr ycbcr2rgb yuv_420_to_444 yuv_444_to_420",
    "transforms.transforms": "RGB2YCbCr YCbCr2RGB YUV420To444 YUV444To420",
    "typing": "TCriterion TDataLoader TDataset TModel TModule TOptimizer TScheduler TTransform",
    "typing.torch": "TCriterion TDataLoader TDataset TModel TModule TOptimizer TScheduler",
    "zoo": "bmshj2018_factorized bmshj2018_factorized_relu bmshj2018_hyperprior bmshj2018_hyperprior_vbr "
    "cheng2020_anchor cheng2020_attn image_models load_state_dict mbt2018 mbt2018_mean mbt2018_mean_vbr "
    "mbt2018_vbr models ssf2020 video_models",
    "zoo.image": "bmshj2018_factorized bmshj2018_factorized_relu bmshj2018_hyperprior cfgs cheng2020_anchor "
    "cheng2020_attn load_pretrained mbt2018 mbt2018_mean model_architectures model_urls root_url",
    "zoo.image_vbr": "bmshj2018_hyperprior_vbr cfgs mbt2018_mean_vbr mbt2018_vbr model_architectures "
    "model_urls root_url",
    "zoo.video": "model_architectures model_urls root_url ssf2020",
    "zoo.pretrained": "load_pretrained rename_key",
    "utils.update_model.__main__": "main setup_args",
    "version": "__version__",
}


def parameters(value):
    """[name, kind, has a default] of each parameter; None for what has no signature."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    return [[p.name, p.kind.name, p.default is not p.empty] for p in signature.parameters.values()]


def methods(value):
    """Signatures of the public methods that a class defines itself."""
    found = {}
    for name, member in vars(value).items():
        function = getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(function):
            found[name] = parameters(function)
    return found


def main():
    """Writes the file beside this one."""
    warnings.simplefilter("ignore")
    names = {}
    for place, listed in MODULES.items():
        module = importlib.import_module(f"compressai.{place}" if place else "compressai")
        entries = names[place] = {}
        for name in listed.split():
            value = getattr(module, name)
            entries[name] = {"parameters": parameters(value) if callable(value) else None}
            if inspect.isclass(value) and value.__module__.startswith("compressai"):
                entries[name]["methods"] = methods(value)
    target = Path(__file__).with_name("compressai-names.json")
    target.write_text(json.dumps(names, separators=(",", ":")).replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()

"""Evaluation of codecs, learned and classical, under one protocol and in one form of result.

=================  =========================================================================================
`results`          the form of result files, ours and CompressAI's, checked when read
`protocol`         one picture through one codec: bytes, times, memory, measures
`learned`          packages, checkpoints and models in torch as codecs
`classical`        JPEG, JPEG 2000, WebP, AVIF, JPEG XL; `intra`: HEVC and AV1; `external`: any command
`curves`           curves out of results, and the published ones that come with lcrs
`bjontegaard`      BD-rate and BD-PSNR between them
`plotting`         drawings; `report`: a page of HTML
`finding`          the setting that comes nearest to a target
`complexity`       multiplications and parameters of models
`diagnosis`        what is wrong with a file
=================  =========================================================================================

Nothing is imported before it is used, so what one codec needs nobody else has to have.
"""

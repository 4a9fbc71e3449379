"""Losses of models of point clouds."""

from lcrs.losses.pointcloud.chamfer import ChamferPccRateDistortionLoss, chamfer_distance
from lcrs.losses.pointcloud.hrtzxf2022 import RateDistortionLoss_hrtzxf2022

__all__ = ["ChamferPccRateDistortionLoss", "RateDistortionLoss_hrtzxf2022", "chamfer_distance"]

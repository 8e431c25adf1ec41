"""Measuring: points in processes of their own or over several processes, clocks, and timing within a budget."""

from rfcli.study.measure.distributed_point import Leader, follow
from rfcli.study.measure.point import Point, PointProcess
from rfcli.study.measure.timing import DoesNotFit, OnProgress, Runner, time_points

__all__ = ["DoesNotFit", "Leader", "OnProgress", "Point", "PointProcess", "Runner", "follow", "time_points"]

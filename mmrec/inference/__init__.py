"""From a trained run to answers."""

from mmrec.inference.opening import load
from mmrec.inference.questions import Recommendation
from mmrec.inference.recommender import TrainedRecommender

__all__ = ["Recommendation", "TrainedRecommender", "load"]

"""From a trained run to answers."""

from mmrec.inference.questions import Recommendation
from mmrec.inference.recommender import TrainedRecommender, load

__all__ = ["Recommendation", "TrainedRecommender", "load"]

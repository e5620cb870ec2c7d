"""From a trained run to answers."""

from mmrec.inference.recommender import Recommendation, TrainedRecommender, load

__all__ = ["Recommendation", "TrainedRecommender", "load"]

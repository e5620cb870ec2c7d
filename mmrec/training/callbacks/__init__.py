"""Lightning callbacks of a run."""

from mmrec.training.callbacks.refresh_index import RefreshIndex
from mmrec.training.callbacks.save_recommendations import SaveRecommendations
from mmrec.training.callbacks.save_results import SaveResults

__all__ = ["RefreshIndex", "SaveRecommendations", "SaveResults"]

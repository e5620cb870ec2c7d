"""Ranking metrics, computed from ranks alone, over all instances and by slice of the target item."""

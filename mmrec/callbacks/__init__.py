"""What happens around training: the index, the results, the explanations."""

"""How good explanations are, measured: arms over a frozen sample, with intervals and tests."""

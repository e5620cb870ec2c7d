"""Fast forms of the equations, each with its plain form as the oracle of its test."""

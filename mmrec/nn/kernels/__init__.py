"""Fast forms of the equations, each tested against its plain form."""

"""Writing explanations: a grammar that makes sentences of statements, and the two ways to ask a language model."""

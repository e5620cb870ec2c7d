"""MM-RACL-KAL: multimodal, retrieval-augmented sequential recommendation with explanations checked against facts."""

__version__ = "0.1.0"

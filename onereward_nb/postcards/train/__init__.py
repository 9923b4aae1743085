"""Training of everything small that ships: the VAE, the fill model and the oracle's readers."""

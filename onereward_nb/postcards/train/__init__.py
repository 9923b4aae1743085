"""Training of everything small that ships: the VAE, the fill model, the oracle's readers and the reward model."""

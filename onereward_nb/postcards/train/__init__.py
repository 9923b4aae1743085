"""Training of everything small that ships: the VAE, the fill model, its OneReward, the reward model, the oracle's readers."""

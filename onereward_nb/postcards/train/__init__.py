"""Training of all that ships: the VAE, the fill model and its OneReward, the reward model, the readers."""

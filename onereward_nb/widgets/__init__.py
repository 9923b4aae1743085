"""What answers to the reader in a notebook: the mask editor, the studio, the before/after slider, the player."""

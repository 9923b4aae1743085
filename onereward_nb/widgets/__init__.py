"""What answers to the reader in a notebook: the mask editor, the before/after slider, the step player."""

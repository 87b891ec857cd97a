"""A user's own ``LightningModule`` in the place of mlvision's loop."""

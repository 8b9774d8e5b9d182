"""What the assets are given to work with; the UI lists and explains them."""

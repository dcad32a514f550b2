"""Problem 6.2: convolutional networks. Each module judges one part of the answers."""

"""The game-day console: break one thing on purpose, watch it recover, write down what happened."""

__version__ = "0.1.0"

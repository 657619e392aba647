"""A small order-processing application."""

"""Measuring what ships, on held-out seeds: python -m onereward_nb.postcards.measure --help"""

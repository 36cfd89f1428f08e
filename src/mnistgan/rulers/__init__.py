"""The rulers: the feature networks that FID and its kin are measured by, pinned by digest.

``classifier`` is a small digit classifier; ``pixels`` is no classifier at all and sees what a classifier forgives.
``fitting`` retrains them, ``cards`` keeps them in files, ``pins`` names what a figure was measured by.
"""

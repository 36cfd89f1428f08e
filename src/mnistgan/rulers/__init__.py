"""The rulers: the pinned feature networks under which FID and its kin are measured.

``classifier`` is a small digit classifier; ``pixels`` is no classifier at all and sees what a classifier forgives.
``cards`` keeps them in files, ``pins`` names what a figure was measured by; evaluation/ makes them anew.
"""

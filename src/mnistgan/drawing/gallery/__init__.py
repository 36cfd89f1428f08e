"""The gallery: every recorded recipe on one page, in pictures and figures."""

"""Measures images by the rulers: all metrics, the verdict, and the controls (known faults) that both must see."""

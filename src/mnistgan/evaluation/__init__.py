"""Makes the rulers, and measures by them: all metrics, the verdict, the controls (known faults) that both must see."""

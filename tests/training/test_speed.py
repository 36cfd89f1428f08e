import time

from mnistgan.training.speed import Speed


def test_images_per_second_count_the_seconds_of_steps_alone(monkeypatch):
    clock = iter([100.0, 110.0])  # at the first report, and when asked
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    speed = Speed()
    speed.see(images=25, seconds=9.0)  # compiled meanwhile
    speed.see(images=25, seconds=2.0)
    speed.see(images=25, seconds=3.0)
    assert speed.per_second == 10
    assert speed.overhead_share() == 0.5

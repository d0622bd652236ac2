"""When a `Glance` looks, and what it says until somebody has read anew."""

import pytest

from promptdeck.stores.base import Glance


class Looks:
    """Counts the looks at what holds or does not."""

    def __init__(self) -> None:
        self.holds = True
        self.count = 0

    def __call__(self) -> bool:
        self.count += 1
        return self.holds


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_it_looks_ten_times_a_second_at_most(looks: Looks) -> None:
    glance = Glance(looks)
    for hundredths in range(100):
        assert not glance.changed(1000 + hundredths / 100)
    assert 9 <= looks.count <= 11


def test_a_change_is_told_within_a_tenth_of_a_second_and_until_it_was_read(looks: Looks) -> None:
    glance = Glance(looks)
    assert not glance.changed(1000)
    looks.holds = False
    assert not glance.changed(1000.05)
    assert glance.changed(1000.11)
    assert glance.changed(1000.11)
    looks.holds = True
    assert not glance.changed(1000.11)


def test_a_clock_that_is_set_back_does_not_put_off_the_next_look(looks: Looks) -> None:
    glance = Glance(looks)
    assert not glance.changed(5000)
    looks.holds = False
    assert glance.changed(1000)


def test_what_hangs_on_no_file_never_changes() -> None:
    assert not any(Glance().changed(now) for now in range(0, 1000, 7))

"""The points of the charts."""

from __future__ import annotations

from scrapekit.dashboard.course import Course
from scrapekit.engine import Latency, Snapshot


def snapshots(*pages, step=1.0):
    return [Snapshot(at=100 + step * at, pages=count, requests=2 * count) for at, count in enumerate(pages)]


def course_of(found):
    course = Course()
    for snapshot in found:
        course.add(snapshot)
    return course


def test_a_point_is_what_came_since_the_last_one_by_the_second():
    course = course_of(snapshots(10, 12, 18, step=2.0))
    assert [(point.n, point.pages, point.requests) for point in course.points] == [(1, 1.0, 2.0), (2, 3.0, 6.0)]
    assert course.rate == 2.0


def test_before_the_first_point_there_is_no_rate():
    assert course_of(snapshots(10)).rate == 0.0
    assert Course().points == ()


def test_an_engine_that_does_not_turn_gives_zeros_and_no_percentiles():
    same = Snapshot(at=1.0, pages=5)
    [point] = course_of([same, same]).points
    assert (point.pages, point.p50, point.p99) == (0.0, None, None)


def test_percentiles_are_of_the_last_ten_seconds_alone():
    slow, quick = Latency(), Latency()
    slow.add(50.0)
    quick = slow.since(Latency())
    quick.add(0.004)
    found = [Snapshot(at=1.0), Snapshot(at=2.0, latency=slow)]
    found += [Snapshot(at=3.0 + at, latency=quick) for at in range(10)]
    points = course_of(found).points
    assert points[0].p50 > 10
    assert points[1].p99 > 10
    assert points[-1].p99 < 0.01


def test_ten_minutes_are_kept():
    points = course_of(snapshots(*range(700))).points
    assert (len(points), points[0].n, points[-1].n) == (600, 100, 699)


def test_failures_that_are_tried_again_make_no_negative_rate():
    assert course_of([Snapshot(at=1.0, failed=3), Snapshot(at=2.0, failed=1)]).points[0].failed == 0.0

"""Which rule holds for a frame."""

from dataclasses import replace

import numpy as np
import pytest

from maskedskipunet.detection.day import DayAlarms, DayPart, PartAlarms
from maskedskipunet.detection.drift import Blocks, DriftReference
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.rule_in_force import RuleInForce

RULE = EventRule(threshold=0.5, release=0.4)
NIGHT = EventRule(threshold=0.3, release=0.2)
DAY = DayAlarms((PartAlarms(DayPart("night", 20 * 3600, 6 * 3600), NIGHT, 0.1, 8.0, 1),))


@pytest.fixture(scope="module")
def reference():
    """Four hours of errors that lie at one level."""
    random, hours = np.random.default_rng(0), []
    for _ in range(4):
        gathering = Blocks()
        maps = random.uniform(0.09, 0.11, (12 * 61, 16, 16))
        hours.append([block for at, each in enumerate(maps) if (block := gathering.add(5.0 * at, 0.1, each))])
    return DriftReference.of(hours)


def test_the_part_of_the_day_decides_where_it_is_known():
    rules = RuleInForce(RULE, DAY)
    found = [rules.see(0.0, 0.1, time_of_day_s=time_s)[0] for time_s in (12 * 3600.0, 22 * 3600.0, 3600.0, None)]
    assert found == [RULE, NIGHT, NIGHT, RULE]


def test_while_normal_itself_has_changed_the_rule_is_raised_by_night_too(reference):
    rules, random = RuleInForce(RULE, DAY, reference), np.random.default_rng(1)
    changes, rule = [], RULE
    for at in range(12 * 60):
        errors = random.uniform(0.09, 0.11, (16, 16))
        errors[4:10, 4:10] = 0.6
        rule, change = rules.see(5.0 * at, 0.6, errors, time_of_day_s=23 * 3600.0)
        changes += [change] if change else []
    assert [change.phase for change in changes] == ["begin"]
    raised = changes[0].raised_by
    assert raised == pytest.approx(0.5, abs=0.02)
    assert rule == replace(NIGHT, threshold=NIGHT.threshold + raised, release=NIGHT.release + raised)


def test_without_maps_or_what_to_hold_them_against_nothing_is_known_of_drift(reference):
    for rules in (RuleInForce(RULE), RuleInForce(RULE, drift=reference)):
        assert all(rules.see(5.0 * at, 9.0) == (RULE, None) for at in range(12 * 60))


def test_another_calibration_holds_from_the_next_frame_on():
    rules = RuleInForce(RULE, DAY)
    higher = replace(RULE, threshold=0.7)
    rules.set_rules(higher)
    assert [rules.see(0.0, 0.1, time_of_day_s=time_s)[0] for time_s in (12 * 3600.0, 22 * 3600.0)] == [higher, higher]


def test_drift_is_judged_by_the_new_calibration_and_over_where_that_knows_what_is_seen(reference):
    random = np.random.default_rng(1)

    def minutes(rules, begin, count):
        found = []
        for at in range(12 * begin, 12 * (begin + count)):
            errors = random.uniform(0.09, 0.11, (16, 16))
            errors[4:10, 4:10] = 0.6
            found.append(rules.see(5.0 * at, 0.6, errors))
        return [rule for rule, _ in found], [change.phase for _, change in found if change]

    rules = RuleInForce(RULE, drift=reference)
    told, phases = minutes(rules, 0, 40)
    assert (told[-1].threshold > RULE.threshold, phases) == (True, ["begin"])
    as_now = replace(reference, centre=_centre_of_what_is_seen(reference.floor), highest_usual=0.65)
    rules.set_rules(RULE, drift=as_now)
    told, phases = minutes(rules, 40, 20)
    assert ({rule.threshold for rule in told}, phases) == ({RULE.threshold}, ["end"])
    rules.set_rules(RULE)  # one that knows nothing of drift
    assert minutes(rules, 60, 20)[1] == []


def _centre_of_what_is_seen(floor):
    gathering = Blocks()
    errors = np.full((16, 16), 0.1)
    errors[4:10, 4:10] = 0.6
    block = next(block for at in range(200) if (block := gathering.add(5.0 * at, 0.6, errors)))
    return tuple(np.log(block.places + floor).tolist())

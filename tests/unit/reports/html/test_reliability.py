"""What the page of a run says of its calibration error."""

from __future__ import annotations

import pytest

from cxr.reports.html.choose_report import build_report
from cxr.reports.html.page import render_page
from support.fabricated_runs import describe_image, make_run, plain_samples  # noqa: F401

NUM_IMAGES = 24


@pytest.fixture
def page(make_run, describe_image, plain_samples):  # noqa: F811
    """Return the page of a run that said these of images of both classes in turn."""

    def build(said, *, replicates=200):
        tests = [
            describe_image(f"test/{'AB'[number % 2]}/{number:02}.png")
            for number in range(NUM_IMAGES)
        ]
        run = make_run(samples=(*tests, *plain_samples[2:]), logits=said, computed=True)
        return render_page(build_report([run], replicates=replicates).report)

    return build


def test_a_calibrated_model_has_the_reason_and_one_that_is_off_its_interval(page):
    fair = page([(0.55, 0.45)] * NUM_IMAGES)
    reason = "no interval: calibration is not rejected, so the error may be 0"
    assert reason in fair
    sure = page([(0.05, 0.95)] * NUM_IMAGES)
    assert "Expected calibration error 0.4" in sure
    assert "no interval: calibration" not in sure
    said = sure.partition("Expected calibration error 0.4")[2].partition(":")[0]
    assert ", interval 0." in said


def test_without_resamples_the_page_tells_no_reason(page):
    said = page([(0.4, 0.6)] * NUM_IMAGES, replicates=0)
    assert "the probability of the decision, against whether it is right" in said
    assert "no interval" not in said

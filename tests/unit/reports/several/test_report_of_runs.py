"""The verdict of a report comes first and is true; what follows shows where runs part."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from cxr.config.load import dump_config, load_config
from cxr.errors import RecordError, UsageError
from cxr.records.manifest import seal_manifest, write_manifest
from cxr.records.run_directory import CONFIG, MANIFEST, METRICS, REPEAT
from cxr.repeat.pool import CONFIGS
from cxr.repeat.record import list_varied, write_repeat
from cxr.repeat.report import summarise_runs
from cxr.repeat.series import EQUAL, STRESS, Series, plan_series
from cxr.reports.html.several.timeline import MOST_LANES
from support.html_pages import BROWSER, list_faults, measure, read_page

UPSET = frozenset({(1, "gradients", "w")})
OTHER = {"upset": UPSET, "logits": ((0.75, 0.25), (0.5, 0.75))}


def read_statement(page: str) -> tuple[str, str]:
    """Return the tone and the text of the first statement, which is the verdict."""
    assert list_faults(page) == []
    first = next(
        one
        for one in read_page(page).named("div")
        if "statement" in one.attributes.get("class", "")
    )
    return first.attributes["class"].removeprefix("statement "), first.text


def read_titles(page: str) -> list[str]:
    return [one.text for one in read_page(page).named("h2")]


def test_equal_runs_are_identical_with_their_evidence(trained, report):
    status, page = report(trained(), trained(), trained())
    tone, text = read_statement(page)
    assert (status, tone) == ("identical", "good")
    assert "Identical: 3 runs" in text
    assert "3 equal runs exclude, at 95 %, that more than 77.6 % of runs differ" in text
    assert "No two runs part" in page
    assert "Agreement on each image" not in read_titles(page)


def test_two_runs_of_one_recipe_that_part_are_a_fault_and_where_is_said(trained, report):
    status, page = report(trained(), trained(**OTHER))
    tone, text = read_statement(page)
    assert (status, tone) == ("different", "bad")
    assert "This is a fault" in text
    assert "run 2: first divergence: epoch 0, step 1, gradients (w)" in page
    assert 'class="parting"' in page
    for said in ("100.0 %", "2 of 2 images", "b - a", "decisions:"):
        assert said in page


def test_what_affects_bits_and_differs_is_in_the_verdict(trained, report):
    changed = {"numerics.cpu_capability": "DEFAULT"}
    _, page = report(trained(), trained(environment=changed, **OTHER))
    tone, text = read_statement(page)
    assert tone == "plain"
    assert "numerics.cpu_capability" in text


def test_runs_of_other_seeds_are_a_distribution(trained, report):
    runs = [trained(config={"seed": seed}, **changes) for seed, changes in ((1, {}), (2, OTHER))]
    status, page = report(*runs)
    assert status == "distribution"
    assert "differ in seed alone" in read_statement(page)[1]
    assert "Distribution" in read_titles(page)
    figures = [json.loads((run / MANIFEST).read_bytes())["metrics"] for run in runs]
    mean = sum(one["loss"] for one in figures) / 2
    rows = read_page(page).named("tr")
    assert any(one.text.startswith(f"Loss (nats)2{mean:.4f}") for one in rows)


def test_another_recipe_is_no_distribution(trained, report):
    status, page = report(trained(), trained(config={"train.lr": 0.5, "seed": 2}, **OTHER))
    assert status == "different"
    assert "Distribution" not in read_titles(page)
    assert "train.lr" in read_statement(page)[1]


def test_runs_of_other_data_are_compared_on_the_images_of_both(trained, report, replace_image):
    moved = replace_image("test/A/5.png", path="test/A/9.png")
    _, page = report(trained(), trained(samples=moved, **OTHER))
    assert "data" in read_statement(page)[1]
    assert "2 runs, 1 image that all predicted" in page
    assert "2 images that only some have are left out" in page
    none = replace_image("test/A/5.png", path="test/A/8.png")
    none = tuple(one for one in none if one.path != "test/B/6.png")
    _, page = report(trained(), trained(samples=none, logits=((0.75, 0.25),), upset=UPSET))
    assert "No image can be compared" in page


@pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
def test_a_run_without_an_end_makes_it_incomplete(trained, report, status):
    verdict, page = report(trained(), trained(status=status), trained())
    tone, text = read_statement(page)
    assert (verdict, tone) == ("incomplete", "bad")
    assert "Incomplete: 2 of 3 runs" in text
    assert (
        "run 2: never ended" if status == "running" else f"run 2: {status} after 4 steps"
    ) in text
    assert "the 2 runs that can be compared are equal" in text


def test_an_edited_run_is_named_first_and_left_out(trained, report, edit_manifest):
    edited = trained(**OTHER)
    edit_manifest(edited, lambda content: content["metrics"].update(accuracy=0.9999))
    status, page = report(trained(), edited, trained())
    tone, text = read_statement(page)
    assert (status, tone) == ("edited", "bad")
    assert "the record of run 2. It is left out" in text
    assert "0.9999" not in page
    # So is one that was sealed anew: its figures are not what its predictions give.
    edit_manifest(edited, lambda content: content["metrics"].update(accuracy=0.9999), seal=True)
    status, page = report(trained(), edited)
    assert status == "edited"
    assert "metrics.accuracy is not what the predictions give" in read_statement(page)[1]
    assert "0.9999" not in page


def test_stops_are_marked_where_the_run_went_on(trained, report):
    run = trained()
    content = json.loads((run / MANIFEST).read_bytes())
    content["volatile"]["interruptions"] = [{"status": "failed", "next_step": 2, "resumed": "-"}]
    write_manifest(run, content)
    assert report(trained(), run)[1].count('class="stop"') == 1


def test_names_of_directories_do_not_reach_the_bytes_and_their_order_is_kept(
    trained, report, tmp_path
):
    a, b = trained(), trained(**OTHER)
    moved = shutil.copytree(a, tmp_path / "elsewhere" / "x")
    assert report(a, b) == report(moved, b)
    assert report(a, b) != report(b, a)
    assert "as they were named; run 1 is the reference" in report(a, b)[1]


def test_what_is_no_run_or_named_twice_is_refused(trained, report, tmp_path):
    run = trained()
    with pytest.raises(UsageError, match="named twice"):
        report(run, run / ".." / run.name)
    with pytest.raises(RecordError, match="not a run directory"):
        report(run, tmp_path)


def test_a_damaged_line_of_figures_is_said_in_the_page_of_one_run(trained, report):
    run = trained()
    (run / METRICS).write_text("{}\n", "utf-8")
    status, page = report(run)
    assert status == "damaged"
    assert read_statement(page)[0] == "bad"
    assert "is damaged" in page


@pytest.fixture
def repeat(trained, tmp_path):
    """Write the record of a repeat over runs, as `cxr repeat` does; return its directory."""

    def write(num_runs, *runs, stressed=False):
        directory = tmp_path / "repeat"
        directory.mkdir()
        places = []
        for number, changes in enumerate(runs, start=1):
            places.append(trained(**changes).rename(directory / f"run-{number}"))
        config = load_config(places[0] / CONFIG)
        (directory / CONFIG).write_text(dump_config(config, directory), "utf-8")
        series = Series(
            config=config, num_runs=num_runs, asked={"kind": STRESS if stressed else EQUAL}
        )
        plans = plan_series(series)
        varied = list_varied(plans)
        for plan in plans[: len(places)]:
            if plan.config != config:
                (directory / CONFIGS).mkdir(exist_ok=True)
                path = directory / CONFIGS / f"{plan.name}.yaml"
                path.write_text(dump_config(plan.config, path.parent), "utf-8")
        write_repeat(
            directory, replace(summarise_runs(places, num_runs), varied=varied), series.asked
        )
        return directory

    return write


def test_a_repeat_is_reported_from_its_own_record(repeat, report):
    status, page = report(repeat(2, {}, {}, stressed=True))
    assert status == "identical"
    assert any(
        one.text.startswith("run-2") and "PYTHONHASHSEED=" in one.text and "the same" in one.text
        for one in read_page(page).named("tr")
    )


def test_what_a_repeat_did_not_vary_is_not_told_as_evidence(repeat, report):
    directory = repeat(2, {}, {}, stressed=True)
    answer = json.loads((directory / REPEAT).read_bytes())
    sealed = seal_manifest(answer | {"varied": {"run-2": ["threads=64"]}})
    (directory / REPEAT).write_text(json.dumps(sealed), "utf-8")
    status, page = report(directory)
    assert status == "edited"
    assert "varied is not what the series varies" in page


def test_a_run_of_a_repeat_that_never_began_or_was_edited_is_said(repeat, report, edit_manifest):
    directory = repeat(4, {}, {}, {"status": "failed"})
    status, page = report(directory)
    assert status == "incomplete"
    assert "run-3: failed after 4 steps" in read_statement(page)[1]
    assert "1 run never began" in read_statement(page)[1]
    edit_manifest(directory / "run-2", lambda content: content.update(name="x"))
    status, page = report(directory)
    assert status == "edited"
    assert "run-2, manifest.json: the manifest was edited" in read_statement(page)[1]


def test_an_edited_answer_of_a_repeat_is_said(repeat, report):
    directory = repeat(2, {}, {})
    path = directory / REPEAT
    path.write_text(path.read_text("utf-8").replace('"n":2', '"n":2,"x":1'), "utf-8")
    status, page = report(directory)
    assert status == "edited"
    assert "the record of the repeat was changed" in read_statement(page)[1]


def test_many_runs_share_lanes_and_fit(make_run, report):
    """Runs that are equal share a lane; of more ledgers than fit, the page says how many."""
    plain = make_run(computed=True)
    runs = []
    for number in range(45):
        upset = frozenset({(number % 4, "loss", f"{number}"), (number % 4, "loss", "loss")})
        runs.append(make_run(computed=True, upset=upset, num_steps=2 + number // 4))
    _, page = report(plain, *runs, replicates=0)
    assert list_faults(page) == []
    assert f"{MOST_LANES} lanes of 46 runs. 6 further ledgers are not drawn" in page


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome is installed; .ci/run installs one"
)
def test_no_page_of_several_runs_scrolls_sideways(trained, report, tmp_path):
    runs = [
        trained(config={"seed": seed, "name": "n" * 60}, **(OTHER if seed % 2 else {}))
        for seed in range(14)
    ]
    _, page = report(*runs, trained(status="failed"))
    for found in measure(page, (1280, 390), tmp_path):
        assert found["scroll"] <= found["width"]
        assert found["outside"] == []

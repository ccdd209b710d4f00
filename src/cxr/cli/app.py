"""The command tree. Each command's file is imported with it; heavy libraries are not."""

from __future__ import annotations

import typer

import cxr
from cxr.cli import (
    attest,
    data,
    diff,
    doctor,
    env,
    env_capture,
    evaluate,
    export,
    fetch,
    predict,
    probe,
    publish,
    repeat,
    replay,
    report,
    reproduce,
    run,
    serve,
    train,
    verify,
)
from cxr.cli.console import print_line

app = typer.Typer(
    name="cxr",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 80},
)


def _show_version(*, asked: bool) -> None:
    if asked:
        print_line(f"cxr {cxr.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    *,
    version: bool = typer.Option(
        False,  # noqa: FBT003 - the option's default
        "--version",
        help="Print the version.",
        is_eager=True,
        callback=lambda value: _show_version(asked=value),
    ),
) -> None:
    """Train chest X-ray classifiers so that the same recipe gives the same bits.

    Begin with: cxr repeat -n 3 --config configs/sample.yaml
    """
    del version
    if context.invoked_subcommand is None:
        print_line(context.get_help())


app.command("train")(train.train)
app.command("repeat")(repeat.repeat)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("serve")(serve.serve)
app.command("diff")(diff.diff)
app.command("verify")(verify.verify)
app.command("attest")(attest.attest)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("publish")(publish.publish)
app.command("fetch")(fetch.fetch)
app.command("reproduce")(reproduce.reproduce)
app.command("doctor")(doctor.doctor)
app.command("run", context_settings=run.CONTEXT)(run.run)
app.add_typer(env.app, name="env")
app.add_typer(data.app, name="data")
app.command("env-capture", hidden=True)(env_capture.capture)
app.command("replay", hidden=True)(replay.replay)
app.command("probe", hidden=True)(probe.probe)

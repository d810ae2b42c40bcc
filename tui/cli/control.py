"""Commands that steer jobs: pause, resume, cancel, retry, set, move, remove, and stop for all of them."""

from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.base import AsJson, Job, Jobs, JobsIfAny, app, at_home, errors_shown, fail

if TYPE_CHECKING:
    from tui.control import Outcome, Wish


@app.command()
def pause(
    jobs: Jobs,
    freeze: Annotated[bool, typer.Option("--freeze", help="At once, in mid-batch; the memory stays in use.")] = False,
    park: Annotated[bool, typer.Option("--park", help="After the batches under way; memory is given back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pause jobs after their batches under way.

    The model stays in memory, unless --park gives that back.
    """
    from tui import control

    if freeze and park:
        raise fail("A job is frozen or parked, not both; give --freeze or --park.", 2)
    _ask(jobs, control.pausing("freeze" if freeze else "park" if park else "pause"), as_json)


@app.command()
def resume(
    jobs: JobsIfAny = None,
    everything: Annotated[bool, typer.Option("--all", help="Every job that rests or was left unfinished.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let jobs go on that were paused, or left unfinished."""
    from tui import control

    if bool(jobs) == everything:
        raise fail("Name the jobs to go on with by their numbers, or give --all.", 2)
    if jobs:
        _ask(jobs, control.resuming, as_json)
    else:
        home = at_home()
        with errors_shown():
            outcome = control.resume_all(home, details=as_json)
        _tell(outcome, as_json)


@app.command()
def cancel(jobs: Jobs, as_json: AsJson = False) -> None:
    """Give jobs up; what they finished is kept."""
    from tui import control

    _ask(jobs, control.cancelling, as_json)


@app.command()
def retry(jobs: Jobs, as_json: AsJson = False) -> None:
    """Queue ended jobs again; only what is missing is done."""
    from tui import control

    _ask(jobs, control.retrying, as_json)


@app.command("set")
def set_parameters(
    job: Job,
    assignments: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="chunk=120, or chunk=2m; batch=4.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Change a job's chunk length or batch, while it runs, too."""
    from tui import control

    try:
        wish = control.setting(assignments)
    except control.UsageError as error:
        raise fail(str(error), 2) from error
    _ask([job], wish, as_json)


@app.command()
def move(
    job: Job,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="A number from 1; or first, last, up, down.")],
    as_json: AsJson = False,
) -> None:
    """Move a job to another place in the queue."""
    from tui import control

    try:
        wish = control.moving(place)
    except control.UsageError as error:
        raise fail(str(error), 2) from error
    _ask([job], wish, as_json)


@app.command()
def remove(jobs: Jobs, as_json: AsJson = False) -> None:
    """Take ended jobs off the list; the files they wrote stay."""
    from tui import control

    _ask(jobs, control.removing, as_json)


@app.command()
def stop(
    now: Annotated[bool, typer.Option("--now", help="Do not wait for the batches under way.")] = False,
    as_json: AsJson = False,
) -> None:
    """End the host, and wait until it is gone.

    The batches under way are finished first. Unfinished jobs go on when they are resumed.
    """
    import msgspec

    from tui import ending, listing
    from tui.text import plain

    home = at_home()
    with errors_shown():
        try:
            pid = ending.stop(home, now=now, say=lambda text: typer.echo(plain(text), err=True))
        except KeyboardInterrupt:
            raise fail("Not waiting any longer; it ends by itself.", 130) from None
        jobs = ending.left_over(home)
    if as_json:
        data = {"stopped": pid, "jobs": listing.rows(jobs, listing.now_ms())}
        typer.echo(msgspec.json.encode(data).decode())
    else:
        typer.echo("Nothing is at work." if pid is None else ending.told_of(jobs))


def _ask(jobs: list[int], wish: "Wish", as_json: bool) -> None:
    from tui import control

    home = at_home()
    with errors_shown():
        outcome = control.ask(home, jobs, wish, details=as_json)
    _tell(outcome, as_json)


def _tell(outcome: "Outcome", as_json: bool) -> None:
    """Say what came of it; exit status 1 where a job refused."""
    import msgspec

    from tui.text import plain

    if as_json:
        typer.echo(msgspec.json.encode({"done": outcome.done, "jobs": outcome.jobs, "errors": outcome.errors}).decode())
    else:
        for sentence in outcome.told:
            typer.echo(plain(sentence))
    for error in outcome.errors:
        typer.echo(plain(error["error"]), err=True)
    if outcome.errors:
        raise typer.Exit(1)

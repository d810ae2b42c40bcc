"""The memory governor: what may start, what must run lighter, what is ended, and when it may grow again."""

from engine import events as ev
from engine.ladder import decide, heavier
from engine.machine import handing, resting
from engine.machine.core import Core
from engine.machine.holdings import Job, Worker
from engine.machine.stimuli import DiskRead, MemoryRead
from engine.memory import HARD, MB, SOFT, estimate_align, estimate_listen, fit
from engine.recipe import Failure, FailureKind, Recipe
from engine.states import Running

LEAKS = 2
"""A listener that takes so many times as much as expected is at fault itself."""
ENGINE = 60 * MB
"""What the engine takes, before it is measured."""
SWAP_GROWTH = 512 * MB
"""Swap that may come into use while a job runs; more means that the machine is short, whatever else it says."""
PATIENCE_MS = 5_000
"""How long the system must be under pressure before it is acted upon."""
SETTLE_MS = 2_000
"""How long after the first lighter batch the memory is looked at again: two samples."""
ROOM_AGAIN = 1.5
"""How much more than the least room the disk must have for jobs to go on."""


def memory_read(core: Core, stimulus: MemoryRead, now: int) -> None:
    """Take in a sample of the memory, and act on it."""
    for worker in core.workers.values():
        if worker.id in stimulus.workers:
            note(core, worker, stimulus.workers[worker.id])
    # A worker that was ended while the sample was taken holds nothing any more.
    gone = sum(held for number, held in stimulus.workers.items() if number not in core.workers)
    known = sum(worker.memory for worker in core.workers.values() if worker.id in stimulus.workers)
    tree = stimulus.tree - gone
    core.share = max(0, tree - known)
    core.available = stimulus.available
    core.tell(
        ev.MemorySampled(
            tree=stimulus.tree,
            budget=core.budget,
            available=stimulus.available,
            device=sum(worker.device for worker in core.workers.values()),
            swap=stimulus.swap,
            pressure=stimulus.pressure,
        )
    )
    _watch_pressure(core, stimulus, now)
    govern(core, tree, now)


def note(core: Core, worker: Worker, held: int) -> None:
    """A worker holds so many bytes now."""
    worker.memory = held
    held_once(core, worker, held)


def held_once(core: Core, worker: Worker, held: int) -> None:
    """A worker held so many bytes at some moment: what it is at takes as much."""
    job = core.jobs.get(worker.job)
    if worker.stage != "transcribe" or job is None:
        return
    for attempt in job.attempts.values():
        if attempt.began is not None:
            attempt.peak = max(attempt.peak, held)


def govern(core: Core, tree: int, now: int) -> None:
    """Act on how much memory everything together takes."""
    job = core.at_work()
    if not core.budget or any(each.doom is not None for each in core.workers.values()):
        return
    if job is None:
        if tree > core.budget * HARD:
            resting.park_idle(core, now)
        return
    worker = _greediest(core, job)
    if worker is None:
        return
    if tree > core.budget * HARD:
        core.kill(
            worker,
            FailureKind.OOM,
            f"The worker was ended with the memory at {in_mb(tree)}, over the budget of {in_mb(core.budget)}.",
        )
    elif tree > core.budget * SOFT and worker.stage == "transcribe" and isinstance(job.state, Running):
        _ease(core, job, f"memory at {in_mb(tree)}, {tree / core.budget:.0%} of the budget", now, bars=True)


def _greediest(core: Core, job: Job) -> Worker | None:
    """The job's worker that takes too much when all together do: the one with a model, unless the listener leaks."""
    mine = [each for each in core.workers.values() if each.job == job.id]
    usual = estimate_listen(job.recipe)
    listener = next((each for each in mine if each.stage == "listen" and each.memory > LEAKS * usual), None)
    model = next((each for each in mine if each.stage != "listen"), None)
    if listener is None or model is None:
        return listener or model
    recipe = handing.spoken(job, job.recipe)
    expected = estimate_align(recipe) if model.stage == "align" else core.memory.predict(recipe)
    return listener if listener.memory - usual > model.memory - expected else model


def _watch_pressure(core: Core, stimulus: MemoryRead, now: int) -> None:
    """Ease off when the whole system is short, whoever takes it."""
    job = core.at_work()
    if job is None or not isinstance(job.state, Running):
        core.pressed_since, core.swap_before = None, None
        if job is None and stimulus.pressure == "critical":
            resting.park_idle(core, now)
        return
    if core.swap_before is None:
        core.swap_before = stimulus.swap
    if stimulus.swap - core.swap_before > SWAP_GROWTH:
        grown, core.swap_before = stimulus.swap - core.swap_before, stimulus.swap
        _ease(core, job, f"the system has swapped out {in_mb(grown)} more", now)
    elif stimulus.pressure == "normal":
        core.pressed_since = None
    elif core.pressed_since is None:
        core.pressed_since = now
    if core.pressed_since is not None and (stimulus.pressure == "critical" or now - core.pressed_since >= PATIENCE_MS):
        _ease(core, job, f"the whole system is short of memory (pressure {stimulus.pressure})", now)


def _ease(core: Core, job: Job, why: str, now: int, *, bars: bool = False) -> None:
    """The next batch runs one rung lighter, unless the last easing has yet to show.

    With ``bars`` the recipe is at fault, and is not climbed to again. Once all is transcribed no recipe matters.
    """
    if core.settling or now - core.settled_at < SETTLE_MS or job.is_transcribed:
        return
    below = _lighter(core, job, job.recipe)
    if bars:
        job.barred[job.recipe] = None
    core.pressed_since = None
    job.clean_chunks = 0
    if below is not None:
        core.settling = core.next_attempt
        core.change_recipe(job, below, reached(job), why)


def _lighter(core: Core, job: Job, recipe: Recipe) -> Recipe | None:
    """The next rung that promises the same words: a mere sign of danger is no reason for another model."""
    failure = Failure(FailureKind.OOM, "")
    below = decide(recipe, failure, [], core.limits(job))
    return below if below is not None and below.same_text(recipe) else None


def settled(core: Core, attempt: int, now: int) -> None:
    """A batch of this attempt is done."""
    if core.settling and attempt >= core.settling:
        core.settling, core.settled_at = 0, now


def reached(job: Job) -> int:
    """Where on the timeline new parameters come into force."""
    return job.pending[0].start if job.pending else job.heard


# ---- admission


def room(core: Core, worker: Worker | None) -> int:
    """Bytes that the transcriber may hold before the soft limit is reached."""
    left = round(core.budget * SOFT) - (core.share or ENGINE)
    if core.available:
        left = min(left, core.available + (worker.memory if worker is not None else 0))
    return left


def admit(core: Core, job: Job) -> None:
    """See to it that what the job wants to run with is expected to fit, before it runs."""
    if not core.budget or job.admitted == job.recipe:
        return
    free = room(core, core.worker("transcribe"))
    if not job.heard_all:
        # With more lanes one of them waits while there is a listener, and leaves it as much as Silero takes.
        free -= estimate_listen(job.recipe) - (0 if job.recipe.parallel == 1 else estimate_listen(Recipe()))
    recipe = fit(job.recipe, free, core.memory, barred=frozenset(job.barred))
    job.admitted = recipe
    wanted, needs = core.memory.predict(job.recipe), core.memory.predict(recipe)
    if recipe != job.recipe:
        reason = (
            f"batch {job.recipe.batch} × {job.recipe.parallel} would take about {in_mb(wanted)}; "
            f"the budget of {in_mb(core.budget)} leaves {in_mb(max(0, free))}"
        )
        core.change_recipe(job, recipe, reached(job), reason)
    if needs > free + round(core.budget * (HARD - SOFT)):
        core.tell(
            ev.Warning(
                job.id,
                f"The model {recipe.model} is expected to take {in_mb(needs)}, and the memory budget of "
                f"{in_mb(core.budget)} leaves {in_mb(max(0, free))}: it may have to be given up.",
            )
        )


def admit_later(core: Core, job: Job) -> None:
    """Tell when the align stage is not expected to fit; it is tried all the same, as it may be a small model."""
    free, needs = room(core, None), estimate_align(handing.spoken(job, job.recipe))
    if core.budget and free + round(core.budget * (HARD - SOFT)) < needs:
        core.tell(
            ev.Warning(
                job.id,
                f"Aligning the words is expected to take {in_mb(needs)}, and the memory budget of "
                f"{in_mb(core.budget)} leaves {in_mb(max(0, free))}: it may have to be given up.",
            )
        )


def climb(core: Core, job: Job) -> None:
    """After some clean chunks, one rung back up towards what was wanted, if that is expected to fit."""
    if job.clean_chunks < core.policy.climb_after or core.settling or core.pressed_since is not None:
        return
    job.clean_chunks = 0
    above = heavier(job.recipe, job.options.recipe, core.limits(job).models)
    if above is None or above in job.barred:
        return
    if core.budget and core.memory.predict(above) > room(core, core.worker("transcribe")):
        return
    job.admitted = above
    core.change_recipe(job, above, reached(job), f"{core.policy.climb_after} {ev.CLEAN}")


# ---- the disk


def disk_read(core: Core, stimulus: DiskRead, now: int) -> None:
    """Have jobs wait while the disk has no room for what they write."""
    if stimulus.free < core.policy.room:
        core.trouble = (
            f"the disk of scribetui's state folder has only {in_mb(stimulus.free)} left, "
            f"and {in_mb(core.policy.room)} are needed"
        )
    elif stimulus.free >= core.policy.room * ROOM_AGAIN:
        core.trouble = ""


def in_mb(size: int) -> str:
    """A number of bytes for the user's eyes."""
    return f"{size / MB:.0f} MB"

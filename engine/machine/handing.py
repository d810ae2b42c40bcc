"""What workers are handed: how one is started, and how its work is worded."""

import msgspec

from engine import events as ev
from engine.machine.core import Core
from engine.machine.holdings import LATER, Job, Worker
from engine.machine.stimuli import StartWorker
from engine.messages import Load, Work
from engine.recipe import Recipe
from engine.terms import heard_first
from engine.timeline import Span


def start(core: Core, stage: ev.StageName, job: Job, recipe: Recipe, *, key: object, lanes: int) -> Worker:
    """Start a worker and have it load."""
    worker = Worker(core.next_worker, stage, key, job.id, lanes, started_at=core.now, loading_since=core.now)
    core.next_worker += 1
    core.workers[worker.id] = worker
    path = core.stages.get(recipe.backend, recipe.backend) if stage == "transcribe" else core.stages[stage]
    model = recipe.align if stage == "align" else recipe.model
    core.tell(ev.WorkerStarted(job=job.id, worker=worker.id, stage=stage, model=model))
    core.do(StartWorker(worker.id, Load(stage=path, recipe=spoken(job, recipe), lanes=lanes)))
    return worker


def spoken(job: Job, recipe: Recipe) -> Recipe:
    """The recipe with the language that a vote found, where it names none."""
    if recipe.language is not None or job.language is None:
        return recipe
    return msgspec.structs.replace(recipe, language=job.language)


def work(core: Core, job: Job, spans: tuple[Span, ...], recipe: Recipe, stage: ev.StageName) -> Work:
    """What a worker of a stage is to do with these spans."""
    told = spoken(job, recipe)
    common = Work(
        job=job.id,
        media=job.source.path,
        audio=core.audio(job),
        recipe=told,
        spans=spans,
        speech=job.speech_within(spans),
        size=job.source.size,
        mtime_ns=job.source.mtime_ns,
    )
    if stage in LATER:
        return common
    if stage == "listen":
        return msgspec.structs.replace(common, track=job.options.track, checkpoint=job.checkpoint)
    return msgspec.structs.replace(
        common,
        samples=() if told.language is not None else job.samples,
        terms=heard_first(job.options.terms, job.heard_terms),
        corrects=job.options.corrects,
    )

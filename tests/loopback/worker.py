"""The queue: every job is checked when it comes, and they run one after the other."""

from __future__ import annotations

import threading
import time
import traceback

from qiskit.qpy.common import QPY_VERSION

from tests.loopback.billing import qpu_seconds
from tests.loopback.execute import execute
from tests.loopback.faults import JOBS, Fault
from tests.loopback.program import Program, Rejected, read_program
from tests.loopback.seeds import job_seed
from tests.loopback.sessions import close_expired
from tests.loopback.store import Job
from tests.loopback.world import World

__all__ = ["TOO_LONG", "Worker"]

TOO_LONG = 1305


class Worker(threading.Thread):
    """One thread that takes jobs until it is stopped."""

    def __init__(self, world: World) -> None:
        super().__init__(name="loopback-worker", daemon=True)
        self._world = world
        self._stopped = False
        self._programs: dict[str, Program] = {}

    def stop(self) -> None:
        """End after the job in hand."""
        with self._world.store.lock:
            self._stopped = True
            self._world.store.lock.notify_all()
        self.join()

    def run(self) -> None:
        """Take jobs."""
        store = self._world.store
        while True:
            with store.lock:
                job = None
                while not self._stopped and (job := self._next()) is None:
                    # Batches end by the clock, so look again now and then.
                    store.lock.wait(1.0 if store.sessions else None)
                if self._stopped or job is None:
                    return
            try:
                if job.prepared:
                    self._work(job)
                else:
                    self._prepare(job)
            except Exception:
                store.write_text(job, "logs.txt", traceback.format_exc())
                self._finish(job, "Failed", reason="Error returned at backend level.", code=1010)

    def _next(self) -> Job | None:
        close_expired(self._world, time.time())
        queued = self._world.store.find(lambda job: job.status == "Queued")
        return next((job for job in queued if not job.prepared or self._runnable(job)), None)

    def _runnable(self, job: Job) -> bool:
        world = self._world
        return not (world.held(job) or world.status_of(job.backend) != "active" or world.exhausted(job.instance))

    def _prepare(self, job: Job) -> None:
        """Check a job and estimate what it costs."""
        world = self._world
        device = world.device(job.backend)
        if device is None or job.program != "executor":
            self._finish(job, "Failed", reason=f"{job.program} does not run on {job.backend}.", code=1002)
            return
        try:
            program = self._read(job)
        except Rejected as error:
            self._finish(job, "Failed", reason=str(error), code=error.code)
            return
        with world.store.lock:
            job.executions = program.executions
            delay = device.rep_delay if program.rep_delay is None else program.rep_delay
            job.estimate = 0.0 if job.backend == device.twin else qpu_seconds(program.work, delay)
            job.prepared = True
            world.store.save(job)

    def _read(self, job: Job) -> Program:
        if job.id not in self._programs:
            device = self._world.device(job.backend)
            text = self._world.store.read_text(job, "params.json")
            assert device is not None
            assert text is not None
            newest = QPY_VERSION if self._world.options.max_qpy is None else self._world.options.max_qpy
            self._programs[job.id] = read_program(text, device.target, newest)
        return self._programs[job.id]

    def _work(self, job: Job) -> None:
        """Run a job."""
        world = self._world
        with world.store.lock:
            if job.status != "Queued":  # cancelled since it was chosen
                return
            job.status, job.running, job.runs = "Running", time.time(), job.runs + 1
            world.store.save(job)
        world.point("before_run", tags=job.tags)
        if (fault := world.faults.on_job(tuple(JOBS), job.tags)) is not None:
            self._spoil(job, fault)
            return
        if job.cost is not None and (job.estimate or 0.0) > job.cost:
            self._finish(job, "Cancelled", reason="The job ran too long.", code=TOO_LONG, seconds=job.cost)
            return
        device = world.device(job.backend)
        assert device is not None
        seed = job_seed(job.tags, world.options.seed, job.ordinal)
        mock = job.backend == device.twin
        result = execute(self._read(job), device, seed, ideal=world.options.ideal, mock=mock)
        with world.store.lock:
            world.store.lock.wait_for(lambda: job.status != "Running", timeout=world.options.run_seconds)
        world.point("mid_run", tags=job.tags)
        self._finish(job, "Completed", seconds=job.estimate or 0.0, result=result)
        if world.faults.on_completed(job.backend) is not None:
            world.calibrate(job.backend, time.time())
        world.point("after_run", tags=job.tags)

    def _spoil(self, job: Job, fault: Fault) -> None:
        seconds = fault.settings.get("seconds", 0.0)
        if fault.kind == "job_fail":
            reason, code = fault.settings["reason"], fault.settings["code"]
            self._finish(job, "Failed", reason=reason, code=code, seconds=seconds)
        elif fault.kind == "job_cancel":
            self._finish(job, "Cancelled", seconds=seconds)
        else:
            seconds = job.estimate or 0.0 if job.cost is None else job.cost
            self._finish(job, "Cancelled", reason="The job ran too long.", code=TOO_LONG, seconds=seconds)

    def _finish(
        self,
        job: Job,
        status: str,
        *,
        reason: str | None = None,
        code: int | None = None,
        seconds: float = 0.0,
        result: str | None = None,
    ) -> None:
        """Write the end of a job; one that was cancelled meanwhile stays cancelled."""
        self._programs.pop(job.id, None)
        with self._world.store.lock:
            if job.final:
                return
            if result is not None:
                self._world.store.write_text(job, "result.json", result)
            job.status, job.reason, job.reason_code = status, reason, code
            job.finished, job.seconds, job.prepared = time.time(), seconds, True
            self._world.store.save(job)

"""runit: runsvdir, one runsv for each app."""

from __future__ import annotations

import signal

from tests.bench.fleet import Fleet, Launch, Recipe
from tests.bench.peers.contract import (
    NO_PROBES,
    PROBES,
    Peer,
    backdate,
    because,
    service_directory,
    write_program,
)
from tests.bench.processes import kill


class Runit(Peer):
    name = "runit"
    debian = ("runit",)
    programs = ("runsvdir", "runsv", "sv", "svlogd")
    largest = (1000, "runsvdir takes 1000 services")
    setting = "the app itself is `run`; no delay once an app was up 1 s, else one start a second"
    cannot = because(NO_PROBES, *PROBES) | because("its logger is a process", "logs_give")

    def prepare(self, recipe: Recipe) -> Launch:
        for index in range(recipe.size):
            directory = service_directory(recipe, index)
            if recipe.log:
                (directory / "log").mkdir()
                (recipe.logs / "config").write_text("s10000000\nn100\n")
                write_program(directory / "log" / "run", f"#!/bin/sh\nexec {self.place.find('svlogd')} {recipe.logs}\n")
        backdate(recipe.directory / "service")
        return Launch([self.place.find("runsvdir"), str(recipe.directory / "service")], self.env())

    def stop(self, fleet: Fleet) -> None:
        kill(fleet.pid, signal.SIGHUP)

    def status_command(self, recipe: Recipe) -> Launch | None:
        return Launch([self.place.find("sv"), "status", str(recipe.directory / "service" / "app0000")], self.env())

"""daemontools: svscan, one supervise for each app."""

from __future__ import annotations

import signal

from tests.bench.fleet import Fleet, Launch, Recipe
from tests.bench.peers.contract import NO_PROBES, PROBES, Peer, because, service_directory, write_program
from tests.bench.processes import kill


class Daemontools(Peer):
    name = "daemontools"
    debian = ("daemontools",)
    programs = ("svscan", "supervise", "svc", "svstat", "multilog", "fghack")
    largest = (1000, "svscan takes 1000 services")
    setting = "the app itself is `run`; no delay once an app was up 1 s, else one start a second"
    daemon_means = "its fghack"
    cannot = because(NO_PROBES, *PROBES) | because("its logger is a process", "logs_give")

    def prepare(self, recipe: Recipe) -> Launch:
        for index in range(recipe.size):
            directory = service_directory(recipe, index)
            if recipe.daemon:
                (directory / "run").unlink()
                command = " ".join(recipe.command(index))
                write_program(directory / "run", f"#!/bin/sh\nexec {self.place.find('fghack')} {command}\n")
            if recipe.log:
                (directory / "log").mkdir()
                logger = f"exec {self.place.find('multilog')} s10000000 n100 {recipe.logs}"
                write_program(directory / "log" / "run", f"#!/bin/sh\n{logger}\n")
        return Launch([self.place.find("svscan"), str(recipe.directory / "service")], self.env())

    def stop(self, fleet: Fleet) -> None:
        kill(fleet.pid, signal.SIGTERM)
        service = fleet.recipe.directory / "service"
        directories = [str(path) for path in sorted(service.iterdir())]
        directories += [str(path / "log") for path in sorted(service.iterdir()) if (path / "log").is_dir()]
        fleet.children.spawn([self.place.find("svc"), "-dx", *directories], self.env(), fleet.output)

    def status_command(self, recipe: Recipe) -> Launch | None:
        return Launch([self.place.find("svstat"), str(recipe.directory / "service" / "app0000")], self.env())

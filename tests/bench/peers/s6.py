"""s6: s6-svscan, one s6-supervise for each app."""

from __future__ import annotations

from tests.bench.fleet import Launch, Recipe
from tests.bench.peers.contract import NO_PROBES, PROBES, Peer, because, service_directory, write_program


class S6(Peer):
    name = "s6"
    debian = ("s6",)
    programs = ("s6-svscan", "s6-supervise", "s6-svstat", "s6-log")
    setting = (
        "the app itself is `run`, and notifies readiness, because s6 waits 1 s after each death of one that was not "
        "ready for 1 s"
    )
    cannot = because(NO_PROBES, *PROBES) | because("its logger is a process", "logs_give")

    def prepare(self, recipe: Recipe) -> Launch:
        for index in range(recipe.size):
            directory = service_directory(recipe, index, "ready=3")
            (directory / "notification-fd").write_text("3\n")
            if recipe.patience:
                (directory / "timeout-kill").write_text(f"{recipe.patience * 1000:.0f}\n")
            if recipe.log:
                (directory / "log").mkdir()
                logger = f"exec {self.place.find('s6-log')} n100 s10000000 {recipe.logs}"
                write_program(directory / "log" / "run", f"#!/bin/sh\n{logger}\n")
        scan = str(recipe.directory / "service")
        return Launch([self.place.find("s6-svscan"), "-c", str(2 * recipe.size + 10), scan], self.env())

    def status_command(self, recipe: Recipe) -> Launch | None:
        return Launch([self.place.find("s6-svstat"), str(recipe.directory / "service" / "app0000")], self.env())

"""monit: looks at pid files and ports once a cycle."""

from __future__ import annotations

from tests.bench.fleet import Fleet, Launch, Recipe
from tests.bench.peers.contract import Peer, because

_NO_LOGS = "does not capture stdout"


class Monit(Peer):
    name = "monit"
    debian = ("monit",)
    programs = ("monit",)
    settle = 2.2
    largest = (100, "starts apps one after the other, 0.2 s each, and is not done with 1000 in 150 s")
    setting = "cycles of 1 s, the shortest (120 s in Debian's file)"
    daemon_means = "pid files only"
    cannot = because(_NO_LOGS, "logs", "logs_give")

    def prepare(self, recipe: Recipe) -> Launch:
        directory = recipe.directory
        text = f"""\
set daemon 1
set pidfile {directory}/monit.pid
set statefile {directory}/monit.state
set idfile {directory}/monit.id
set logfile {directory}/monit.log
set httpd unixsocket {directory}/s
    allow bench:bench
"""
        hangs = recipe.probe and recipe.size == 1
        for index in range(recipe.size):
            pidfile = f"{directory}/app{index}.pid"
            command = " ".join(recipe.command(index, f"pidfile={pidfile}", "fork=1"))
            number = "KILL" if hangs else "TERM"
            life = (
                f'    start program = "{command}" with timeout 1 second\n'
                f"    stop program = \"/bin/sh -c 'kill -{number} $(cat {pidfile})'\"\n"
            )
            text += f"check process app{index} with pidfile {pidfile}\n{life}"
            if recipe.probe == "tcp":
                text += f"    if failed host 127.0.0.1 port {recipe.ports + index} type tcp then restart\n"
            elif recipe.probe == "http":
                text += (
                    f"    if failed host 127.0.0.1 port {recipe.ports + index} protocol http "
                    "with timeout 1 second then restart\n"
                )
            elif recipe.probe == "exec":
                probe = " ".join(recipe.probe_command(index))
                text += (
                    f'check program probe{index} with path "{probe}" timeout 1 second\n{life if hangs else ""}'
                    f"    if status != 0 then {'restart' if hangs else 'alert'}\n"
                )
        rc = directory / "monitrc"
        rc.write_text(text)
        rc.chmod(0o600)
        return Launch([str(recipe.programs.reaper), *self._command(recipe), "-I"], self.env())

    def stop(self, fleet: Fleet) -> None:
        command = " ".join(self._command(fleet.recipe))
        # asked again every 2 s: it refuses a stop for an app whose last action it has not finished
        script = (
            f"n=0; while [ $({command} summary -B | grep -c 'Not monitored') -lt {self._services(fleet.recipe)} ]; do "
            f"[ $((n % 20)) = 0 ] && {command} stop all; n=$((n + 1)); sleep 0.1; done; {command} quit"
        )
        fleet.children.spawn(["/bin/sh", "-c", script], self.env(), fleet.output)

    def status_command(self, recipe: Recipe) -> Launch | None:
        return Launch([*self._command(recipe), "status", "app0"], self.env())

    @staticmethod
    def _services(recipe: Recipe) -> int:
        """How many lines of the summary must say that nothing is left to do."""
        return recipe.size * (2 if recipe.probe == "exec" else 1)

    def _command(self, recipe: Recipe) -> list[str]:
        return [self.place.find("monit"), "-c", str(recipe.directory / "monitrc")]

"""circus."""

from __future__ import annotations

from tests.bench.fleet import Launch, Recipe
from tests.bench.peers.contract import PROBES, Peer, because

_ONLY_URL = "only a plugin process for each URL"


class Circus(Peer):
    name = "circus"
    python = ("circus",)
    programs = ("circusd", "circusctl")
    setting = "check_delay 0.2 s (5 s by default), max_retry = -1, no warm-up delay"
    cannot = because(_ONLY_URL, *PROBES) | because("it copies always", "logs_give")

    def version(self) -> tuple[str, list[str]]:
        return "", [self.place.find("circusd"), "--version"]

    def prepare(self, recipe: Recipe) -> Launch:
        directory = recipe.directory
        text = f"""\
[circus]
endpoint = ipc://{directory}/e
pubsub_endpoint = ipc://{directory}/p
check_delay = {5 if recipe.daemon else 0.2}
statsd = False
loglevel = WARNING
"""
        for index in range(recipe.size):
            text += f"""\
[watcher:app{index}]
cmd = {" ".join(recipe.command(index))}
max_retry = {5 if recipe.daemon else -1}
warmup_delay = 0
"""
            if recipe.patience:
                text += f"graceful_timeout = {recipe.patience}\n"
            if recipe.log:
                text += (
                    f"stdout_stream.class = FileStream\nstdout_stream.filename = {recipe.logs}/log\n"
                    "stdout_stream.max_bytes = 10485760\nstdout_stream.backup_count = 100\n"
                )
        (directory / "circus.ini").write_text(text)
        return Launch([self.place.find("circusd"), str(directory / "circus.ini")], self.env())

    def status_command(self, recipe: Recipe) -> Launch | None:
        endpoint = f"ipc://{recipe.directory}/e"
        return Launch([self.place.find("circusctl"), "--endpoint", endpoint, "status"], self.env())

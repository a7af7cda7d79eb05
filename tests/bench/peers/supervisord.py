"""supervisord."""

from __future__ import annotations

from tests.bench.fleet import Launch, Recipe
from tests.bench.peers.contract import PROBES, Peer, because

_ONLY_LISTENERS = "only third-party event listeners, ticks of 5 s at best"


class Supervisord(Peer):
    name = "supervisord"
    python = ("supervisor",)
    programs = ("supervisord", "supervisorctl")
    setting = "no delay once an app was up 1 s (startsecs = 1), but it looks once a second"
    cannot = because(_ONLY_LISTENERS, *PROBES) | because("it copies always", "logs_give")

    def version(self) -> tuple[str, list[str]]:
        return "", [self.place.find("supervisord"), "--version"]

    def prepare(self, recipe: Recipe) -> Launch:
        directory = recipe.directory
        text = f"""\
[supervisord]
nodaemon=true
logfile={directory}/supervisord.log
pidfile={directory}/supervisord.pid
minfds={max(1024, 4 * recipe.size + 100)}
minprocs=200
[unix_http_server]
file={directory}/s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{directory}/s
"""
        log = f"{recipe.logs}/log" if recipe.log else "NONE"
        for index in range(recipe.size):
            text += f"""\
[program:app{index}]
command={" ".join(recipe.command(index))}
autorestart=true
startsecs=1
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=100
"""
            if not recipe.daemon:
                text += "startretries=1000000\n"
            if recipe.patience:
                text += f"stopwaitsecs={recipe.patience:.0f}\n"
        (directory / "supervisord.conf").write_text(text)
        return Launch(self._command("supervisord", recipe), self.env())

    def status_command(self, recipe: Recipe) -> Launch | None:
        return Launch([*self._command("supervisorctl", recipe), "status"], self.env())

    def _command(self, name: str, recipe: Recipe) -> list[str]:
        return [self.place.find(name), "-c", str(recipe.directory / "supervisord.conf")]

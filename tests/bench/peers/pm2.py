"""pm2, in front: pm2-runtime."""

from __future__ import annotations

import json

from tests.bench.fleet import Launch, Recipe
from tests.bench.peers.contract import PROBES, Peer, because

_NO_PROBES = "no health checks (memory limit and cron restart only)"


class Pm2(Peer):
    name = "pm2"
    npm = ("pm2",)
    programs = ("pm2", "pm2-runtime", "node")
    setting = "no delay; 16 starts that each lived less than 1 s end it, here no limit"
    cannot = because(_NO_PROBES, *PROBES) | because("it copies always", "logs_give")

    def version(self) -> tuple[str, list[str]]:
        package = self.place.npm / "node_modules" / "pm2" / "package.json"
        return str(json.loads(package.read_text())["version"]), []

    def prepare(self, recipe: Recipe) -> Launch:
        log = f"{recipe.logs}/log" if recipe.log else "/dev/null"
        apps = []
        for index in range(recipe.size):
            command = recipe.command(index)
            app: dict[str, object] = {
                "name": f"app{index}",
                "script": command[0],
                "args": command[1:],
                "interpreter": "none",
                "exec_mode": "fork",
                "autorestart": True,
                "restart_delay": 0,
                "max_restarts": 16 if recipe.daemon else 1_000_000_000,
                "out_file": log,
                "error_file": log,
                "merge_logs": True,
                "vizion": False,
                "pmx": False,
            }
            if recipe.patience:
                app["kill_timeout"] = int(recipe.patience * 1000)
            apps.append(app)
        file = recipe.directory / "apps.json"
        file.write_text(json.dumps({"apps": apps}))
        return Launch([self.place.find("pm2-runtime"), "start", str(file)], self._env(recipe))

    def status_command(self, recipe: Recipe) -> Launch | None:
        return Launch([self.place.find("pm2"), "describe", "app0"], self._env(recipe))

    def _env(self, recipe: Recipe) -> dict[str, str]:
        return self.env(PM2_HOME=str(recipe.directory / "pm2"), PM2_DISABLE_VERSION_CHECK="true")

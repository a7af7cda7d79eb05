"""gds beside its peers, measured in one run: `python -m tests.bench --quick | --full`.

Peers: s6, runit, daemontools, monit, supervisord, circus, pm2 (installed by the bench itself), and the bare loop, the
smallest Python program that spawns, waits and spawns again. gds is measured on both rungs of its tracking ladder, which
GDS_TRACKING forces: with cgroups, and with keepers.

Why the numbers can be believed, as far as they can:

- The app is a small static program whose first instruction reads CLOCK_MONOTONIC; it tells through one FIFO.
  Supervisors are judged by that, by pidfds and by /proc, never by what they say of themselves.
- Only one fleet is alive at a time. Peers take turns, round by round, in random order, the bare loop twice in each
  round, because neighbours make single numbers wander by a factor of two. Ratios to the bare loop of the same run hold
  better than absolute numbers; `--json` has every sample.
- Every peer has the settings with which it restarts fastest, and its service directories on a tmpfs, as real systems
  have them; the state that gds keeps over a crash goes to a disk.
- The CPU of a supervisor is that of all processes below the bench which are not the app, and of their reaped children.

No figure has a limit here: `test_bench_smoke.py` only sees to it that the bench itself keeps working.
"""

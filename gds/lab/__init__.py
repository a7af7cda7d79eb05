"""`gds lab`: several nodes on one machine, to try a descriptor's failover before production.

Each node is a cgroup (all of it is found, frozen and killed there), a network namespace where there may be one, a
member of etcd, a runner, and a keeper that starts both and brings the runner back as systemd would. Everything of a lab
is in one directory; what is done to it is done by the command that asks for it, no daemon of the lab decides anything.
"""

"""Faults of several nodes, and a checker in the manner of Jepsen: is there ever an instant with two masters?

    python -m tests.system.cluster --faults 500 --seed 7 --lifetime 5

Three real etcd members and three real runners in network namespaces (lab.py), an application that writes down every
tick of its life (beat.py), a schedule of faults made from a seed (faults.py) and carried out (trial.py), and afterwards
a pure judge of what was written (checker.py).
"""

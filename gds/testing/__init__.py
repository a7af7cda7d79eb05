"""The test kit: a clock and a little Linux that tests drive, and the checks that hold them to what the real ones do.

Nothing else in gds imports it. Those who write an engine or a rung of their own may.
"""

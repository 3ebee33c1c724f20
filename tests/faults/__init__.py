"""Seeded fault tests: a workload, a nemesis and a checker that judges what was answered."""

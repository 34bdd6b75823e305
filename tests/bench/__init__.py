"""The benchmark: amicopy beside what people would use instead, `make bench`.

Refuses to assert anything: it measures and writes docs/bench.json, docs/bench.md and docs/bench.svg.
"""

"""Side by side: ours, what a user would write instead, and a server that does nothing.

`make bench` runs it all, `make bench QUICK=1` a short version of it. The server under load has one
core for itself, the load generator another. What is measured and how is said in
docs/performance.md; the figures go to benchmarks/results/.
"""

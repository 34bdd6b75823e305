"""The programs that amicopy is measured beside, each as short as its users would write it, and its own bare executor.

Refuses to import anything of the benchmark: each file is run by itself.
"""

"""Benchmarks: one file per question, every answer checked in the run that times it.

- `gram_zz`, `gram_cpmap`, `user_circuit`: whole Gram matrices against a matrix product and other simulators
- `wide_mps`: 30 features through the default engine
- `predict_one`: one new point against a fitted kernel, also after unpickling
- `memory`: peak memory of a Gram matrix, in a process of its own
- `grid_search`: how many matrices a search evaluates
- `projected`: the kernel matrix of one-qubit expectation values against other libraries
- `nystroem`: features of many rows, time and peak memory in a process of its own
- `adaptive_shots`: accuracy at equal total shots, spent where the classifier is sensitive or uniformly
- `noisy_gram`: exact values under noise against circuits of all pairs on Aer
- `noisy_device`: set-up, time and memory under the noise of a 156-qubit device
- `noisy_scaling`: how simulation under noise grows with the number of rows
- `noisy_fidelity`: FidelityQuantumKernel under the same noise, and Tr ρ(x)ρ(y) beside what it measures
- `_harness`: timing, checking, judging; `_report`: the table and the JSON records
- `_competitors`, `_noisy_competitors`: the others

``python -m benchmarks --help`` says how to run them, README.md what each one asks.
"""
